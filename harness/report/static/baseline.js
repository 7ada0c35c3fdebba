// The table of metrics as differences to a variant of the reader's choice.

function startBaselines() {
  for (const select of document.querySelectorAll('select.baseline')) {
    select.closest('.baseline-choice').hidden = false;
    select.addEventListener('change', () => showDifferences(select));
  }
}

const SVG = 'http://www.w3.org/2000/svg';
const means = new WeakMap();

async function showDifferences(select) {
  const found = await block('differences').promise;
  const { rows } = found[Number(select.dataset.table)];
  const card = document.getElementById(select.getAttribute('aria-controls'));
  for (const cell of card.querySelectorAll('td[data-cell]')) {
    if (!means.has(cell)) means.set(cell, [...cell.childNodes]);
    const [variant, metric] = cell.dataset.cell.split(' ').map(Number);
    cell.replaceChildren(...(select.value === ''
      ? means.get(cell)
      : differenceCell(rows[`${variant} ${select.value} ${metric}`], variant === Number(select.value))));
  }
  card.classList.toggle('differing', select.value !== '');
}

// row: [estimate, interval, word, mark, n, low, mid, high, zero], places in percent of the width.
function differenceCell(row, own) {
  if (own) return [make('span', 'quiet', 'baseline')];
  if (!row) return [make('span', 'quiet', 'not compared')];
  const [estimate, interval, word, mark, n, low, mid, high, zero] = row;
  return [
    make('span', 'estimate', estimate, ' ', make('span', `word ${mark}`, word)),
    bar(mark, low, mid, high, zero), make('span', 'range', interval), make('span', 'n', n),
  ];
}

function shapeOf(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent?.append(element);
  return element;
}

function bar(mark, low, mid, high, zero) {
  const svg = shapeOf('svg', { class: `ci ${mark}`, width: '100%', height: 14, 'aria-hidden': 'true' });
  shapeOf('line', { class: 'zero', x1: `${zero}%`, x2: `${zero}%`, y1: 0, y2: '100%' }, svg);
  if (low !== null) shapeOf('line', { class: 'whisker', x1: `${low}%`, x2: `${high}%`, y1: '50%', y2: '50%' }, svg);
  if (mid !== null) {
    const glyph = document.getElementById('shapes').content.querySelector(`[data-mark="${mark}"]`);
    const place = shapeOf('svg', { x: `${mid}%`, y: '50%', overflow: 'visible' }, svg);
    if (glyph) place.append(...[...glyph.childNodes].map((node) => node.cloneNode(true)));
  }
  return svg;
}
