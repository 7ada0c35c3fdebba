// What one text says that another does not, word by word (jsdiff).

const LIMIT = 20_000;
const INSERTED = ['ins', 'added', 'only here'];
const DELETED = ['del', 'missing', 'only in the other'];

// `text` with what it lacks of `base` struck through and what it adds marked; null where the two
// are too long or too unlike for that to help.
function wordChanges(base, text) {
  if (base.length + text.length > 2 * LIMIT) return null;
  const parts = vendor.diffWordsWithSpace(base, text, { timeout: 250 });
  return parts ? parts.flatMap((part) => changed(part)) : null;
}

function changed(part) {
  const nodes = inert(part.value);
  if (!part.added && !part.removed) return nodes;
  const [tag, className, title] = part.added ? INSERTED : DELETED;
  const element = make(tag, className, ...nodes);
  element.title = title;
  return [element];
}

// The answer of variant v as a box, marked against `base` where there is one.
function comparedBox(text, base, said) {
  if (base === null || base === undefined || text === null || text === undefined || text === '') {
    return textBox(text, choice.query, 'no answer recorded');
  }
  if (base === text) {
    const box = textBox(text, choice.query);
    return make('div', '', make('p', 'same', '= word for word ', ...inert(said)), box);
  }
  const nodes = wordChanges(base, text);
  if (nodes === null) {
    const note = make('p', 'usage', 'Too long or too different to mark word by word.');
    return make('div', '', note, textBox(text, choice.query));
  }
  const box = make('div', 'text', ...nodes);
  box.dir = 'auto';
  box.tabIndex = 0;
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', 'Answer with marked differences');
  return box;
}
