// A table of any length that holds only the lines one can see (TanStack Virtual says which).

const table = document.getElementById('table');
const tbody = document.getElementById('tbody');
let shown = [];
let active = 0;
let virtual = null;
const lines = new Map();

function rowHeight() {
  return parseFloat(getComputedStyle(table).getPropertyValue('--row'));
}

function settings() {
  const head = document.getElementById('thead').offsetHeight;
  const height = rowHeight();
  return {
    count: shown.length,
    estimateSize: () => height,
    overscan: 5,
    // The head is sticky: lines begin below it, and must not hide under it.
    scrollMargin: head,
    scrollPaddingStart: head,
    getScrollElement: () => table,
    scrollToFn: vendor.elementScroll,
    observeElementRect: vendor.observeElementRect,
    observeElementOffset: vendor.observeElementOffset,
    onChange: draw,
  };
}

function setRows(rows) {
  shown = rows;
  active = Math.min(active, Math.max(0, rows.length - 1));
  table.setAttribute('aria-rowcount', rows.length + 1);
  redraw();
}

function redraw() {
  lines.clear();
  tbody.replaceChildren();
  virtual.setOptions(settings());
  virtual._willUpdate();
  if (!shown.length) {
    tbody.style.height = 'auto';
    const cell = make('div', 'none', 'No sample fits these filters.');
    cell.setAttribute('role', 'gridcell');
    const row = make('div', '', cell);
    row.setAttribute('role', 'row');
    tbody.append(row);
    table.removeAttribute('aria-activedescendant');
    return;
  }
  virtual.measure();
  draw();
}

function draw() {
  if (!shown.length) return;
  const height = rowHeight();
  tbody.style.height = `${shown.length * height}px`;
  const wanted = new Set(virtual.getVirtualItems().map((item) => item.index));
  wanted.add(active);
  for (const [at, line] of lines) {
    if (wanted.has(at)) continue;
    line.remove();
    lines.delete(at);
  }
  for (const at of wanted) place(at, height);
  for (const [at, line] of lines) line.classList.toggle('active', at === active);
  table.setAttribute('aria-activedescendant', `line-${active}`);
}

function place(at, height) {
  if (lines.has(at)) return;
  const line = make('div', 'line');
  line.id = `line-${at}`;
  line.setAttribute('role', 'row');
  line.setAttribute('aria-rowindex', at + 2);
  line.style.transform = `translateY(${at * height}px)`;
  lines.set(at, line);
  tbody.append(line);
  fill(line, shown[at]);
}

async function fill(line, i) {
  const text = textNow(i) || (await textOf(i));
  const cells = [
    cell('c-input', preview(lastTurn(text.input)), `${data.ids[i]} · ${data.tasks[data.task[i]]}`),
    cell('c-target', preview(text.target === null ? null : targets(text.target).join(' | ')), ''),
    ...columns().map((v) => answer(text, i, v)),
  ];
  if (choice.versus >= 0) cells.push(delta(i));
  line.replaceChildren(...cells);
}

// The variants that have a column: the two that are compared, or all of them.
function columns() {
  const first = [choice.candidate, choice.versus].filter((v) => v >= 0);
  // A narrow page has no room for all; the drawer shows them.
  return control('all').checked && matchMedia('(min-width: 861px)').matches ? [...new Set([...first, ...data.variants.keys()])] : first;
}

function cell(className, nodes, meta) {
  const clip = make('span', 'clip', ...nodes);
  clip.dir = 'auto';
  const small = make('bdi', 'meta', ...inert(meta));
  const element = make('div', className, clip, small);
  element.setAttribute('role', 'gridcell');
  return element;
}

function answer(text, i, variant) {
  const value = score(i, variant);
  const right = isRight(value);
  const mark = right === null ? '' : right ? '✓ ' : '✗ ';
  const said = value === null ? 'unscored' : `${mark}${data.metrics[choice.metric]} ${numberText(value)}`;
  const output = text.output[variant];
  const nodes = output || !text.error[variant] ? preview(output) : preview(`error: ${text.error[variant]}`);
  const kind = value === null ? 'none-scored' : right === null ? '' : right ? 'is-right' : 'is-wrong';
  return cell(`c-answer ${kind}`, nodes, data.metrics.length ? said : data.variants[variant]);
}

function delta(i) {
  const found = outcome(i);
  const d = difference(i);
  const element = make('div', `c-delta delta ${found}`);
  element.setAttribute('role', 'gridcell');
  const word = make('small', '', flip(i) ?? found);
  element.append(d === null ? '–' : `${{ better: '▲', worse: '▼', tie: '=' }[found]} ${numberText(d, true)}`, word);
  return element;
}

function lastTurn(input) {
  const found = turns(input);
  return found ? found[found.length - 1].content : input;
}

function preview(text) {
  if (text === null || text === undefined) return [make('span', 'quiet', 'not recorded')];
  if (text === '') return [make('span', 'quiet', '(empty)')];
  return inert(text.slice(0, 240), choice.query);
}

function moveTo(at) {
  active = Math.max(0, Math.min(shown.length - 1, at));
  virtual.scrollToIndex(active, { align: 'auto' });
  draw();
}

function onKey(event) {
  const page = Math.max(1, Math.floor(table.clientHeight / rowHeight()) - 1);
  const moves = {
    ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page,
    Home: 0, End: shown.length - 1,
  };
  if (!shown.length || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in moves) moveTo(moves[event.key]);
  else if (event.key === 'Enter' || event.key === ' ') openDrawer(shown[active]);
  else return;
  event.preventDefault();
}

function startTable() {
  virtual = new vendor.Virtualizer(settings());
  virtual._didMount();
  virtual._willUpdate();
  table.addEventListener('keydown', onKey);
  table.addEventListener('click', (event) => {
    const line = event.target.closest('.line');
    if (!line) return;
    moveTo(Number(line.id.slice(5)));
    openDrawer(shown[active]);
  });
  let height = rowHeight();
  new ResizeObserver(() => {
    if (height === rowHeight()) return;
    height = rowHeight();
    redraw();
  }).observe(table);
}
