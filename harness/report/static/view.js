// Which samples are shown, and in which order.

const choice = { query: '', task: -1, metric: 0, candidate: 0, versus: -1, sort: 'order', show: 'all' };

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

function outcome(i) {
  if (choice.versus < 0) return score(i, choice.candidate) === null ? 'unscored' : 'scored';
  const d = difference(i);
  if (d === null) return 'unscored';
  return d > 0 ? 'better' : d < 0 ? 'worse' : 'tie';
}

// {rows: positions to show, counts: outcome -> how many before `show` picks among them}
function view(texts) {
  const counts = { all: 0, better: 0, worse: 0, tie: 0, scored: 0, unscored: 0 };
  const inTask = new Set(data.inTask[choice.metric]);
  const rows = [];
  for (let i = 0; i < data.ids.length; i++) {
    if (choice.task >= 0 ? data.task[i] !== choice.task : inTask.size && !inTask.has(data.task[i])) continue;
    if (choice.query && !texts[i].includes(choice.query)) continue;
    const found = outcome(i);
    counts.all++;
    counts[found]++;
    if (choice.show === 'all' || choice.show === found) rows.push(i);
  }
  return { rows: choice.sort === 'order' ? rows : sorted(rows), counts };
}

// The unscored come last either way: they are neither good nor bad.
function sorted(rows) {
  const sign = choice.sort === 'worst' ? 1 : -1;
  const alone = data.lower[choice.metric] ? -1 : 1;
  const value = new Float64Array(data.ids.length);
  const known = [];
  const unscored = [];
  for (const i of rows) {
    const found = choice.versus < 0 ? score(i, choice.candidate) : difference(i);
    if (found === null) {
      unscored.push(i);
    } else {
      value[i] = sign * (choice.versus < 0 ? alone * found : found);
      known.push(i);
    }
  }
  known.sort((a, b) => value[a] - value[b] || a - b);
  return known.concat(unscored);
}
