// Out of the page: a sample as JSON, the shown rows as CSV.

// Everything that is known of sample i, by variant.
async function record(i) {
  const [text, detail] = await Promise.all([textOf(i), detailOf(i)]);
  const metadata = parsed(text.metadata);
  return {
    task: data.tasks[data.task[i]], sample_id: data.ids[i], cluster: text.cluster,
    metadata: metadata ?? text.metadata, input: turns(text.input) ?? text.input,
    target: parsed(text.target) ?? text.target,
    variants: Object.fromEntries(data.variants.map((name, v) => [name, {
      output: text.output[v], error: text.error[v], scores: scoresOf(i, v, text),
      prompt: detail.prompt[v] ? detail.prompt[v].join(text.input || '') : null,
      retrieved: parsed(detail.retrieved[v]) ?? detail.retrieved[v],
      ...Object.fromEntries(['latency_s', 'tokens_in', 'tokens_out', 'cost', 'finish_reason'].map((n) => [n, detail[n][v]])),
      judged: (detail.judged ?? []).filter((row) => row[0] === v).map(
        ([, metric, judge, repeat, turn, value, verdict, rationale, reason]) =>
          ({ metric, judge, repeat, order: turn, value, verdict, rationale, reason })),
    }])),
  };
}

function scoresOf(i, v, text) {
  const found = {};
  data.metrics.forEach((name, m) => {
    if (!data.inTask[m].includes(data.task[i])) return;
    const reason = text.reasons.find(([metric, variant]) => metric === m && variant === v)?.[2] ?? null;
    found[name] = { value: data.scores[m][v][i], reason };
  });
  return found;
}

async function copyText(text, said) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not every browser lets a file use the clipboard; all let it copy what is selected.
    const area = make('textarea', 'hidden');
    area.value = text;
    drawer.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) said = 'This browser does not let a file copy.';
  }
  control('said').textContent = said;
}

// A spreadsheet runs what begins like a formula, and a model may write that.
const inertCell = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
const quoted = (value) => {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' ? inertCell(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

// A line a sample and variant, of the samples that are shown and in their order.
async function csv() {
  const head = ['task', 'sample_id', 'variant', ...data.metrics, 'unscored', 'input', 'target', 'output', 'error'];
  const rows = [head.map(quoted).join(',')];
  for (const i of shown) {
    const text = textNow(i) || (await textOf(i));
    const target = targets(text.target).join(' | ');
    for (const v of columns()) {
      const why = text.reasons.filter(([m, variant]) => variant === v && data.scores[m][v][i] === null)
        .map(([m, , reason]) => `${data.metrics[m]}: ${reason}`).join('; ');
      rows.push([
        data.tasks[data.task[i]], data.ids[i], data.variants[v],
        ...data.metrics.map((_, m) => data.scores[m][v][i]),
        why, text.input, target, text.output[v], text.error[v],
      ].map(quoted).join(','));
    }
  }
  return rows.join('\r\n') + '\r\n';
}

async function downloadCsv() {
  // A byte order mark, without which Excel takes UTF-8 for something else.
  const file = new Blob(['\ufeff', await csv()], { type: 'text/csv' });
  const link = make('a');
  link.href = URL.createObjectURL(file);
  link.download = 'samples.csv';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
