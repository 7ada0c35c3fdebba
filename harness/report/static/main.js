// Wires the controls to the table.

const SHOWN = [['all', 'All'], ['better', 'Better'], ['worse', 'Worse'], ['tie', 'Tie'], ['scored', 'Scored'], ['unscored', 'Unscored']];
let data = null;

const control = (id) => document.getElementById(id);

function options(select, names, first) {
  select.replaceChildren();
  if (first) select.append(new Option(first, -1));
  names.forEach((name, i) => select.append(new Option(inert(name).map((n) => n.textContent ?? n).join(''), i)));
}

function setUp() {
  options(control('task'), data.tasks, 'all with this metric');
  options(control('metric'), data.metrics);
  options(control('candidate'), data.variants);
  options(control('versus'), data.variants, 'nothing');
  choice.candidate = data.candidate;
  choice.versus = data.versus;
  control('metric').disabled = data.metrics.length === 0;
  control('candidate').value = choice.candidate;
  control('versus').value = choice.versus;
  for (const [value, word] of SHOWN) {
    const input = make('input');
    Object.assign(input, { type: 'radio', name: 'show', value, checked: value === 'all' });
    const label = make('label', '', input, word, make('b'));
    label.dataset.value = value;
    control('show').append(label);
  }
}

function readControls() {
  choice.query = control('query').value.trim().toLowerCase();
  for (const name of ['task', 'metric', 'candidate', 'versus']) choice[name] = Number(control(name).value || 0);
  if (choice.versus === choice.candidate) choice.versus = -1;
  choice.sort = control('sort').value;
  choice.show = document.querySelector('#show input:checked').value;
}

let turn = 0;

async function update() {
  const mine = ++turn;
  readControls();
  if (choice.query && !haystackReady) control('found').textContent = 'Reading the texts …';
  const texts = choice.query ? await searchable() : null;
  if (mine !== turn) return; // A later change has overtaken this one.
  const pair = choice.versus >= 0;
  const fits = pair ? ['all', 'better', 'worse', 'tie', 'unscored'] : ['all', 'scored', 'unscored'];
  if (!fits.includes(choice.show)) {
    choice.show = 'all';
    document.querySelector('#show input[value=all]').checked = true;
  }
  const { rows, counts } = view(texts);
  for (const label of control('show').querySelectorAll('label')) {
    label.hidden = !fits.includes(label.dataset.value);
    label.querySelector('b').textContent = counts[label.dataset.value].toLocaleString('en');
  }
  const name = (v) => data.variants[v];
  control('found').replaceChildren(...inert(
    `${rows.length.toLocaleString('en')} of ${data.ids.length.toLocaleString('en')} samples` +
    (pair ? `; better and worse are ${name(choice.candidate)} against ${name(choice.versus)}` : ''),
  ));
  heads(pair);
  table.classList.toggle('alone', !pair);
  table.setAttribute('aria-colcount', pair ? 5 : 3);
  setRows(rows);
}

function heads(pair) {
  const names = ['Input', 'Target', data.variants[choice.candidate]];
  if (pair) names.push(data.variants[choice.versus], 'Difference');
  control('thead').replaceChildren(...names.map((name) => {
    const head = make('span', '', make('bdi', '', ...inert(name)));
    head.setAttribute('role', 'columnheader');
    return head;
  }));
}

async function start() {
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
  startTable();
  startDrawer();
  await update();
  openLinked();
  document.documentElement.dataset.ready = 'yes';
}

start();
