// Everything that a model or a user wrote reaches the page as text nodes, and only here.

// As in words.py: invisible characters and those that reorder their surroundings; joiners that
// spell emoji stay.
const HIDDEN = /([\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff\u{e0000}-\u{e007f}])/u;
const LONG = 6000;

const control = (id) => document.getElementById(id);

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((c) => c !== null));
  return element;
}

// `text` as nodes: hidden characters shown by their code point, `query` marked.
function inert(text, query) {
  const nodes = [];
  for (const piece of String(text).split(HIDDEN)) {
    if (HIDDEN.test(piece)) {
      const code = piece.codePointAt(0).toString(16).toUpperCase().padStart(4, '0');
      nodes.push(make('span', 'control', `U+${code}`));
    } else if (piece) {
      nodes.push(...marked(piece, query));
    }
  }
  return nodes;
}

// `query`: lower-case text, or a regular expression.
function marked(text, query) {
  if (!query) return [text];
  if (query instanceof RegExp) return markedBy(text, query);
  const lower = text.toLowerCase();
  // Lower-casing may change the length ('İ'); then positions would not fit.
  if (lower.length !== text.length || !lower.includes(query)) return [text];
  const nodes = [];
  let from = 0;
  for (let at = lower.indexOf(query); at >= 0; at = lower.indexOf(query, from)) {
    nodes.push(text.slice(from, at), make('mark', '', text.slice(at, at + query.length)));
    from = at + query.length;
  }
  nodes.push(text.slice(from));
  return nodes;
}

function markedBy(text, pattern) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (!match[0]) continue;
    nodes.push(text.slice(from, match.index), make('mark', '', match[0]));
    from = match.index + match[0].length;
  }
  nodes.push(text.slice(from));
  return nodes;
}

// The same as one string, for where no element can be: an option, a title.
const plain = (text) => inert(text).map((node) => node.textContent ?? node).join('');

// A block of text; a long one is cut, says so, and can be opened.
function textBox(text, query, absent) {
  const box = make('div', 'text');
  box.dir = 'auto';
  if (text === null || text === undefined) {
    box.append(make('span', 'quiet', absent || 'not recorded'));
  } else if (text === '') {
    box.append(make('span', 'quiet', '(empty)'));
  } else if (text.length <= LONG) {
    box.append(...inert(text, query));
  } else {
    const more = make('button', 'more', `Show all ${text.length.toLocaleString('en')} characters`);
    more.type = 'button';
    more.addEventListener('click', () => box.replaceChildren(...inert(text, query)));
    box.append(...inert(text.slice(0, LONG), query), '…', make('br'), more);
  }
  if (text) {
    box.tabIndex = 0;
    box.setAttribute('role', 'group');
  }
  return box;
}

const digits = new Intl.NumberFormat('en', { maximumFractionDigits: 3 });

function numberText(value, signed) {
  const size = Math.abs(value);
  const text = size && size < 0.0005 ? size.toPrecision(2) : digits.format(size);
  return (value < 0 ? '−' : signed && value > 0 ? '+' : '') + text;
}
