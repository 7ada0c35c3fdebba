// One sample in full: input, target, and each variant's answer beside the others.

const drawer = document.getElementById('drawer');
let opened = 0;

async function openDrawer(at) {
  opened = at;
  const i = shown[at];
  const [text, detail] = await Promise.all([textOf(i), detailOf(i)]);
  const title = document.getElementById('drawer-title');
  title.replaceChildren(make('bdi', '', ...inert(data.ids[i])), make('small', '', ' ', ...inert(data.tasks[data.task[i]])));
  const body = document.getElementById('drawer-body');
  body.replaceChildren(
    make('div', 'pair', inputPanel(text), targetPanel(text)),
    make('div', 'answers', ...order().map((v) => answerPanel(i, v, text, detail))),
  );
  document.getElementById('previous').disabled = at === 0;
  document.getElementById('next').disabled = at === shown.length - 1;
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
  title.focus();
  history.replaceState(null, '', `#sample=${encodeURIComponent(data.tasks[data.task[i]])}/${encodeURIComponent(data.ids[i])}`);
}

// The two that are being compared stand first.
function order() {
  const first = [choice.candidate, choice.versus].filter((v) => v >= 0);
  return [...new Set([...first, ...data.variants.keys()])];
}

function inputPanel(text) {
  const panel = make('section', 'panel', make('h3', '', 'Input'));
  const found = turns(text.input);
  if (found) {
    for (const turn of found) {
      panel.append(make('div', 'turn', make('h4', '', ...inert(turn.role)), textBox(turn.content, choice.query)));
    }
  } else {
    panel.append(textBox(text.input, choice.query));
  }
  return panel;
}

function targetPanel(text) {
  const panel = make('section', 'panel', make('h3', '', 'Target'));
  const found = targets(text.target);
  for (const target of found.length ? found : [null]) panel.append(textBox(target, choice.query, 'no target'));
  const metadata = parsed(text.metadata);
  const facts = Object.entries(metadata && typeof metadata === 'object' ? metadata : {});
  if (text.cluster !== null && text.cluster !== undefined) facts.unshift(['cluster', text.cluster]);
  for (const [key, value] of facts) {
    const said = typeof value === 'string' ? value : JSON.stringify(value);
    panel.append(make('p', 'usage', ...inert(`${key}: ${said}`)));
  }
  return panel;
}

function answerPanel(i, v, text, detail) {
  const role = v === choice.candidate ? 'compared' : v === choice.versus ? 'against' : '';
  const panel = make('section', role ? 'panel chosen' : 'panel',
    make('h3', '', make('bdi', '', ...inert(data.variants[v])), role ? make('small', '', role) : null),
    textBox(text.output[v], choice.query, 'no answer recorded'));
  if (text.error[v]) panel.append(make('p', 'error', 'Error: ', ...inert(text.error[v])));
  panel.append(scoreList(i, v, text), make('p', 'usage', ...inert(usage(v, detail))));
  if (detail.retrieved[v] && detail.retrieved[v] !== '[]') panel.append(passages(detail.retrieved[v]));
  if (detail.prompt[v]) {
    const prompt = detail.prompt[v].join(text.input || '');
    panel.append(make('details', '', make('summary', '', 'Prompt as sent'), textBox(prompt, choice.query)));
  }
  return panel;
}

function scoreList(i, v, text) {
  const list = make('dl', 'scores');
  data.metrics.forEach((name, m) => {
    if (!data.inTask[m].includes(data.task[i])) return;
    const value = data.scores[m][v][i];
    const why = text.reasons.find(([metric, variant]) => metric === m && variant === v);
    const said = value !== null
      ? make('dd', '', numberText(value))
      : make('dd', 'unscored', 'unscored: ', ...inert(why ? why[2] : 'no score recorded'));
    list.append(make('div', '', make('dt', '', ...inert(name)), said));
  });
  return list;
}

function usage(v, detail) {
  const known = [
    [detail.tokens_in[v], (x) => `${x.toLocaleString('en')} tokens in`],
    [detail.tokens_out[v], (x) => `${x.toLocaleString('en')} out`],
    [detail.latency_s[v], (x) => `${numberText(x)} s`],
    [detail.cost[v], (x) => `cost ${numberText(x)}`],
    [detail.finish_reason[v], (x) => (x === 'length' ? 'cut at the token limit' : `finished: ${x}`)],
  ];
  return known.filter(([x]) => x !== null && x !== undefined).map(([x, say]) => say(x)).join(' · ');
}

function passages(text) {
  const found = parsed(text);
  const list = Array.isArray(found) ? found : [];
  const panel = make('details', '', make('summary', '', `Retrieved passages (${list.length})`));
  for (const passage of list) {
    const value = typeof passage.score === 'number' ? ` score ${numberText(passage.score)}` : '';
    panel.append(make('h4', '', ...inert(`${passage.id}${value}`)), textBox(passage.text, choice.query));
  }
  if (!list.length) panel.append(textBox(text, choice.query));
  return panel;
}

function step(by) {
  const at = opened + by;
  if (at < 0 || at >= shown.length) return;
  moveTo(at);
  openDrawer(at);
}

function startDrawer() {
  document.getElementById('previous').addEventListener('click', () => step(-1));
  document.getElementById('next').addEventListener('click', () => step(1));
  document.getElementById('close').addEventListener('click', () => drawer.close());
  drawer.addEventListener('click', (event) => { if (event.target === drawer) drawer.close(); });
  drawer.addEventListener('keydown', (event) => {
    if (event.target.closest('input, select')) return;
    if (event.key === 'ArrowLeft') step(-1);
    else if (event.key === 'ArrowRight') step(1);
  });
  drawer.addEventListener('close', () => {
    history.replaceState(null, '', '#samples');
    table.focus({ preventScroll: true });
  });
}

// Opens the sample that the address names.
function openLinked() {
  const match = /^#sample=([^/]*)\/(.*)$/.exec(location.hash);
  if (!match) return;
  const [task, id] = match.slice(1).map(decodeURIComponent);
  const at = shown.findIndex((i) => data.ids[i] === id && data.tasks[data.task[i]] === task);
  if (at >= 0) {
    moveTo(at);
    openDrawer(at);
  }
}
