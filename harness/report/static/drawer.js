// One sample in full: input, target, and each variant's answer beside the others.

const drawer = document.getElementById('drawer');
let opened = -1;
let base = 'target'; // What answers are held against, word by word: 'target', '' or a variant.

async function openDrawer(i) {
  opened = i;
  const [text, detail] = await Promise.all([textOf(i), detailOf(i)]);
  if (opened !== i) return; // Another was opened meanwhile.
  const title = document.getElementById('drawer-title');
  title.replaceChildren(make('bdi', '', ...inert(data.ids[i])), make('small', '', ' ', ...inert(data.tasks[data.task[i]])));
  document.getElementById('drawer-body').replaceChildren(
    make('div', 'pair', inputPanel(text), targetPanel(text)),
    baseChoice(text),
    answers(i, text, detail),
  );
  const at = shown.indexOf(i);
  document.getElementById('previous').disabled = at <= 0;
  document.getElementById('next').disabled = at < 0 || at === shown.length - 1;
  control('said').textContent = '';
  if (!drawer.open) drawer.showModal();
  drawer.scrollTop = 0;
  title.focus();
  history.replaceState(null, '', addressOf(i));
}

function addressOf(i) {
  return `#sample=${encodeURIComponent(wellFormed(data.tasks[data.task[i]]))}/${encodeURIComponent(wellFormed(data.ids[i]))}`;
}

// Half of a surrogate pair cannot stand in an address.
const wellFormed = (text) => text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');

// The two that are being compared stand first.
function order() {
  const first = [choice.candidate, choice.versus].filter((v) => v >= 0);
  return [...new Set([...first, ...data.variants.keys()])];
}

function answers(i, text, detail) {
  const held = baseOf(text);
  return make('div', 'answers', ...order().map((v) => answerPanel(i, v, text, detail, held)));
}

// [text, name, variant] that the answers are held against; null: nothing.
function baseOf(text) {
  if (base === 'target') {
    const found = targets(text.target);
    return found.length ? [found, 'the target', -1] : null;
  }
  if (base === '') return null;
  const output = text.output[Number(base)];
  return output === null || output === undefined ? null : [[output], data.variants[Number(base)], Number(base)];
}

function baseChoice(text) {
  const select = make('select');
  select.id = 'base';
  if (targets(text.target).length) select.append(new Option('the target', 'target'));
  select.append(new Option('nothing', ''));
  data.variants.forEach((name, v) => select.append(new Option(plain(name), v)));
  select.value = base;
  if (select.selectedIndex < 0) select.value = '';
  const legend = make('span', 'key-words', make('ins', 'added', 'only here'), ' ', make('del', 'missing', 'only in the other'));
  const label = make('label', 'base', 'Mark words that differ from', select, legend);
  select.addEventListener('change', async () => {
    base = select.value;
    const i = opened;
    const [t, detail] = await Promise.all([textOf(i), detailOf(i)]);
    document.querySelector('#drawer-body .answers').replaceWith(answers(i, t, detail));
  });
  return label;
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

function answerPanel(i, v, text, detail, held) {
  const role = v === choice.candidate ? 'compared' : v === choice.versus ? 'against' : '';
  const against = held && held[2] !== v ? held : null;
  const output = text.output[v];
  // Of several targets the one that is closest in length to the answer.
  const nearest = against && [...against[0]].sort((a, b) =>
    Math.abs(a.length - (output ?? '').length) - Math.abs(b.length - (output ?? '').length))[0];
  const exact = against && against[0].includes(output);
  const panel = make('section', role ? 'panel chosen' : 'panel',
    make('h3', '', make('bdi', '', ...inert(data.variants[v])), role ? make('small', '', role) : null),
    comparedBox(output, against && (exact ? output : nearest), against && against[1]));
  if (text.error[v]) panel.append(make('p', 'error', 'Error: ', ...inert(text.error[v])));
  panel.append(scoreList(i, v, text), make('p', 'usage', ...inert(usage(v, detail))));
  const judged = (detail.judged ?? []).filter((row) => row[0] === v);
  if (judged.length) panel.append(judgePanel(judged));
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
    const why = text.reasons.find(([metric, variant]) => metric === m && variant === v)?.[2];
    const said = value !== null
      ? make('dd', '', numberText(value))
      : make('dd', 'unscored', 'unscored: ', ...inert(why ?? 'no score recorded'));
    const term = make('dt', '', ...inert(name));
    const definition = data.about[m]?.definition;
    if (definition) term.title = plain(definition);
    list.append(make('div', '', term, said, value !== null && why ? make('p', 'why', ...inert(why)) : null));
  });
  return list;
}

// A verdict on a pair is in the order (this answer, the one it is held against).
const PREFERRED = { 1: 'this answer is better', 2: 'the other is better', tie: 'a tie' };

// Rows: [variant, metric, judge, repeat, order, value, verdict, rationale, reason].
function judgePanel(rows) {
  const panel = make('details', '', make('summary', '', `Judged (${rows.length})`));
  panel.open = rows.length <= 4;
  for (const [, metric, judge, repeat, turn, value, verdict, rationale, reason] of rows) {
    const facts = [metric, judge, `repeat ${repeat + 1}`, turn, PREFERRED[verdict] ?? verdict, value === null ? null : `value ${numberText(value)}`];
    panel.append(make('h4', '', ...inert(facts.filter((x) => x !== null && x !== undefined).join(' · '))));
    if (reason) panel.append(make('p', 'usage', 'unscored: ', ...inert(reason)));
    panel.append(textBox(rationale, choice.query, 'no rationale recorded'));
  }
  return panel;
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
  const list = Array.isArray(found) ? found.filter((p) => p && typeof p === 'object') : [];
  const panel = make('details', '', make('summary', '', `Retrieved passages (${list.length})`));
  for (const passage of list) {
    const value = typeof passage.score === 'number' ? ` score ${numberText(passage.score)}` : '';
    panel.append(make('h4', '', ...inert(`${passage.id}${value}`)), textBox(passage.text, choice.query));
  }
  if (!list.length) panel.append(textBox(text, choice.query));
  return panel;
}

function step(by) {
  const at = shown.indexOf(opened) + by;
  if (at < 0 || at >= shown.length) return;
  moveTo(at);
  openDrawer(shown[at]);
}

function startDrawer() {
  const press = (id, act) => document.getElementById(id).addEventListener('click', act);
  press('previous', () => step(-1));
  press('next', () => step(1));
  press('close', () => drawer.close());
  press('copy-json', async () => copyText(JSON.stringify(await record(opened), null, 2), 'Copied as JSON.'));
  press('copy-link', () => copyText(location.href.split('#')[0] + addressOf(opened), 'Link copied.'));
  drawer.addEventListener('click', (event) => { if (event.target === drawer) drawer.close(); });
  drawer.addEventListener('keydown', (event) => {
    if (event.target.closest('input, select') || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'ArrowLeft') step(-1);
    else if (event.key === 'ArrowRight') step(1);
  });
  drawer.addEventListener('close', () => {
    // The event comes late: the address may name another sample by now.
    if (location.hash === addressOf(opened)) history.replaceState(null, '', '#samples');
    opened = -1;
    table.focus({ preventScroll: true });
  });
  addEventListener('hashchange', openLinked);
}

// Opens the sample that the address names, also where the filters leave it out.
function openLinked() {
  const match = /^#sample=([^/]*)\/(.*)$/.exec(location.hash);
  if (!match) return;
  const [task, id] = match.slice(1).map((part) => {
    try { return decodeURIComponent(part); } catch { return part; }
  });
  const i = data.ids.findIndex((x, at) => wellFormed(x) === id && wellFormed(data.tasks[data.task[at]]) === task);
  if (i < 0) {
    control('samples-trouble').hidden = false;
    control('samples-trouble').replaceChildren(...inert(`This file holds no sample '${id}' of task '${task}'.`));
    return;
  }
  const at = shown.indexOf(i);
  if (at >= 0) moveTo(at);
  openDrawer(i);
}
