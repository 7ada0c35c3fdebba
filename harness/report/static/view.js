// Which samples are shown, and in which order.

const choice = {
  query: '', task: -1, slice: null, metric: 0, candidate: 0, versus: -1, from: null, to: null,
  sort: 'flips', show: 'all',
};
const KINDS = ['all', 'regressed', 'fixed', 'right', 'wrong', 'better', 'worse', 'tie', 'scored', 'unscored'];

function score(i, variant) {
  const column = data.scores[choice.metric];
  return column && variant >= 0 ? column[variant][i] : null;
}

// Candidate minus the other, positive where the candidate is better; null: unscored.
function difference(i) {
  const own = score(i, choice.candidate);
  const other = score(i, choice.versus);
  if (own === null || other === null) return null;
  return data.lower[choice.metric] ? other - own : own - other;
}

// Whether a value counts as right; null: unscored, or the metric has no middle to tell by.
function isRight(value) {
  const line = data.about[choice.metric]?.right;
  if (value === null || line === null || line === undefined) return null;
  return data.lower[choice.metric] ? value <= line : value >= line;
}

// 'regressed': the other was right and the candidate is wrong; 'fixed': the other way round.
function flip(i) {
  if (choice.versus < 0) return null;
  const own = isRight(score(i, choice.candidate));
  const other = isRight(score(i, choice.versus));
  if (own === null || other === null || own === other) return null;
  return own ? 'fixed' : 'regressed';
}

function outcome(i) {
  if (choice.versus < 0) return score(i, choice.candidate) === null ? 'unscored' : 'scored';
  const d = difference(i);
  if (d === null) return 'unscored';
  return d > 0 ? 'better' : d < 0 ? 'worse' : 'tie';
}

// Every kind that sample i is of.
function kindsOf(i) {
  const kinds = ['all', outcome(i)];
  const flipped = flip(i);
  if (flipped) kinds.push(flipped);
  if (choice.versus < 0) {
    const right = isRight(score(i, choice.candidate));
    if (right !== null) kinds.push(right ? 'right' : 'wrong');
  }
  return kinds;
}

function inRange(i) {
  if (choice.from === null && choice.to === null) return true;
  const value = score(i, choice.candidate);
  return value !== null && (choice.from === null || value >= choice.from) &&
    (choice.to === null || value <= choice.to);
}

function inSlice(i) {
  return !choice.slice || data.slices[choice.slice[0]].codes[i] === choice.slice[1];
}

function finds(text) {
  return choice.query instanceof RegExp ? text.search(choice.query) >= 0 : text.includes(choice.query);
}

// {rows: positions to show, counts: kind -> how many before `show` picks among them}
function view(texts) {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, 0]));
  const inTask = new Set(data.inTask[choice.metric]);
  const rows = [];
  for (let i = 0; i < data.ids.length; i++) {
    if (choice.task >= 0 ? data.task[i] !== choice.task : inTask.size && !inTask.has(data.task[i])) continue;
    if (!inSlice(i) || !inRange(i)) continue;
    if (texts && !finds(texts[i])) continue;
    const kinds = kindsOf(i);
    for (const kind of kinds) counts[kind]++;
    if (kinds.includes(choice.show)) rows.push(i);
  }
  return { rows: choice.sort === 'order' ? rows : sorted(rows), counts };
}

// The unscored come last either way: they are neither good nor bad.
function sorted(rows) {
  const sign = choice.sort === 'best' ? -1 : 1;
  const alone = data.lower[choice.metric] ? -1 : 1;
  const value = new Float64Array(data.ids.length);
  const rank = new Uint8Array(data.ids.length);
  const known = [];
  const unscored = [];
  for (const i of rows) {
    const found = choice.versus < 0 ? score(i, choice.candidate) : difference(i);
    if (found === null) {
      unscored.push(i);
      continue;
    }
    value[i] = sign * (choice.versus < 0 ? alone * found : found);
    if (choice.sort === 'flips') rank[i] = { regressed: 0, fixed: 1 }[flip(i)] ?? 2;
    if (choice.sort === 'flips' && rank[i] === 1) value[i] = -value[i];
    known.push(i);
  }
  known.sort((a, b) => rank[a] - rank[b] || value[a] - value[b] || a - b);
  return known.concat(unscored);
}
