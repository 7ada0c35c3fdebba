// Wires the controls to the table.

const WORDS = {
  all: 'All', regressed: 'Regressed', fixed: 'Fixed', right: 'Right', wrong: 'Wrong', better: 'Better',
  worse: 'Worse', tie: 'Tie', scored: 'Scored', unscored: 'Unscored',
};
let data = null;

function options(select, names, first) {
  select.replaceChildren();
  if (first) select.append(new Option(first, -1));
  names.forEach((name, i) => select.append(new Option(plain(name), i)));
}

function setUp() {
  options(control('task'), data.tasks, 'all');
  options(control('metric'), data.metrics);
  options(control('candidate'), data.variants);
  options(control('versus'), data.variants, 'nothing');
  choice.candidate = data.candidate;
  choice.versus = data.versus;
  control('metric').value = data.metric;
  control('metric').disabled = data.metrics.length === 0;
  control('candidate').value = choice.candidate;
  control('versus').value = choice.versus;
  control('slice').append(new Option('all', ''));
  for (const [key, { values }] of Object.entries(data.slices)) {
    const group = make('optgroup');
    group.label = plain(key);
    values.forEach((value, at) => {
      const option = new Option(plain(`${key} = ${value}`));
      option.value = JSON.stringify([key, at]);
      group.append(option);
    });
    control('slice').append(group);
  }
  control('slice').disabled = Object.keys(data.slices).length === 0;
  for (const value of KINDS) {
    const input = make('input');
    Object.assign(input, { type: 'radio', name: 'show', value, checked: value === 'all' });
    const label = make('label', '', input, WORDS[value], make('b'));
    label.dataset.value = value;
    control('show').append(label);
  }
}

function numberOf(id) {
  const text = control(id).value.trim();
  return text === '' || Number.isNaN(Number(text)) ? null : Number(text);
}

// Text to find whatever its case, or /a regular expression/ (with the flags that stand behind it).
function queryOf(text) {
  const parts = /^\/(.+)\/([ms]*)$/.exec(text);
  control('query').setCustomValidity('');
  if (!parts) return text.toLowerCase();
  try {
    return new RegExp(parts[1], `giu${parts[2]}`);
  } catch (error) {
    control('query').setCustomValidity(error.message);
    control('query').reportValidity();
    return '';
  }
}

function readControls() {
  choice.query = queryOf(control('query').value.trim());
  for (const name of ['task', 'metric', 'candidate', 'versus']) choice[name] = Number(control(name).value || 0);
  if (choice.versus === choice.candidate) choice.versus = -1;
  choice.slice = control('slice').value ? JSON.parse(control('slice').value) : null;
  choice.from = numberOf('from');
  choice.to = numberOf('to');
  choice.sort = control('sort').value;
  choice.show = document.querySelector('#show input:checked').value;
}

// The kinds that can be, with these two variants and this metric.
function fitting() {
  const tells = data.about[choice.metric]?.right !== null && data.metrics.length > 0;
  if (choice.versus < 0) return ['all', ...(tells ? ['right', 'wrong'] : ['scored']), 'unscored'];
  return ['all', ...(tells ? ['regressed', 'fixed'] : []), 'better', 'worse', 'tie', 'unscored'];
}

let turn = 0;

async function update() {
  const mine = ++turn;
  readControls();
  if (choice.query && !haystackReady) control('found').textContent = 'Reading the texts …';
  const texts = choice.query ? await searchable() : null;
  if (mine !== turn) return; // A later change has overtaken this one.
  const fits = fitting();
  if (!fits.includes(choice.show)) {
    choice.show = 'all';
    document.querySelector('#show input[value=all]').checked = true;
  }
  const { rows, counts } = view(texts);
  for (const label of control('show').querySelectorAll('label')) {
    label.hidden = !fits.includes(label.dataset.value);
    label.querySelector('b').textContent = counts[label.dataset.value].toLocaleString('en');
  }
  control('found').replaceChildren(...inert(sayFound(rows.length, fits)));
  heads();
  setRows(rows);
}

function sayFound(n, fits) {
  const name = (v) => data.variants[v];
  let said = `${n.toLocaleString('en')} of ${data.ids.length.toLocaleString('en')} samples`;
  if (choice.versus >= 0) said += `; better and worse are ${name(choice.candidate)} against ${name(choice.versus)}`;
  if (fits.includes('regressed') || fits.includes('right')) {
    const sign = data.lower[choice.metric] ? 'at most' : 'at least';
    said += `; right is ${data.metrics[choice.metric]} ${sign} ${numberText(data.about[choice.metric].right)}`;
  }
  if (fits.includes('regressed')) said += ', regressed was right there and is wrong here';
  return said;
}

function heads() {
  const pair = choice.versus >= 0;
  const named = columns();
  const names = ['Input', 'Target', ...named.map((v) => data.variants[v])];
  if (pair) names.push('Difference');
  control('thead').replaceChildren(...names.map((name) => {
    const head = make('span', '', make('bdi', '', ...inert(name)));
    head.setAttribute('role', 'columnheader');
    return head;
  }));
  table.classList.toggle('alone', !pair);
  table.classList.toggle('every', columns().length > 2);
  table.style.setProperty('--answers', named.length);
  table.setAttribute('aria-colcount', names.length);
}

async function start() {
  startBaselines();
  if (!document.getElementById('block-index')) return; // No samples.
  if (typeof DecompressionStream === 'undefined') {
    control('samples-trouble').hidden = false;
    control('samples-trouble').textContent =
      'This browser cannot unpack the samples. Chrome 103, Firefox 113, Safari 16.4 and later can.';
    return;
  }
  data = await block('index').promise;
  setUp();
  control('browser').hidden = false;
  control('controls').addEventListener('submit', (event) => event.preventDefault());
  control('controls').addEventListener('input', () => {
    table.scrollTop = 0;
    active = 0;
    update();
  });
  control('query').addEventListener('focus', searchable);
  control('csv').addEventListener('click', downloadCsv);
  startTable();
  startDrawer();
  await update();
  openLinked();
  document.documentElement.dataset.ready = 'yes';
}

start();
