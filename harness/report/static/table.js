// A table of any length that holds only the lines one can see.

const table = document.getElementById('table');
const tbody = document.getElementById('tbody');
let shown = [];
let active = 0;
const lines = new Map();

function rowHeight() {
  return parseFloat(getComputedStyle(table).getPropertyValue('--row'));
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
  draw();
}

function draw() {
  if (!shown.length) return;
  const height = rowHeight();
  tbody.style.height = `${shown.length * height}px`;
  const first = Math.max(0, Math.floor(table.scrollTop / height) - 4);
  const last = Math.min(shown.length, Math.ceil((table.scrollTop + table.clientHeight) / height) + 4);
  for (const [at, line] of lines) {
    if ((at < first || at >= last) && at !== active) {
      line.remove();
      lines.delete(at);
    }
  }
  for (let at = first; at < last; at++) place(at, height);
  place(active, height);
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
    answer(text, i, choice.candidate),
  ];
  if (choice.versus >= 0) {
    cells.push(answer(text, i, choice.versus), delta(i));
  }
  line.replaceChildren(...cells);
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
  const said = value === null ? 'unscored' : `${data.metrics[choice.metric]} ${numberText(value)}`;
  const output = text.output[variant];
  const nodes = output || !text.error[variant] ? preview(output) : preview(`error: ${text.error[variant]}`);
  return cell('c-answer', nodes, data.metrics.length ? said : data.variants[variant]);
}

function delta(i) {
  const found = outcome(i);
  const d = difference(i);
  const element = make('div', `c-delta delta ${found}`);
  element.setAttribute('role', 'gridcell');
  const word = make('small', '', found);
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
  const height = rowHeight();
  const head = document.getElementById('thead').offsetHeight;
  const top = active * height;
  const room = table.clientHeight - head;
  if (top < table.scrollTop) table.scrollTop = top;
  else if (top + height > table.scrollTop + room) table.scrollTop = top + height - room;
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
  else if (event.key === 'Enter' || event.key === ' ') openDrawer(active);
  else return;
  event.preventDefault();
}

function startTable() {
  table.addEventListener('scroll', () => requestAnimationFrame(draw), { passive: true });
  table.addEventListener('keydown', onKey);
  table.addEventListener('click', (event) => {
    const line = event.target.closest('.line');
    if (!line) return;
    moveTo(Number(line.id.slice(5)));
    openDrawer(active);
  });
  new ResizeObserver(() => requestAnimationFrame(redraw)).observe(table);
}
