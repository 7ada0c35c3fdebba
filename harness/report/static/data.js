// The blocks of the page: base64 of zlib of JSON, decoded once and when first asked for.

const decoded = new Map();
const whole = document.readyState === 'loading'
  ? new Promise((done) => document.addEventListener('DOMContentLoaded', done, { once: true }))
  : Promise.resolve();

async function decode(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return JSON.parse(await new Response(stream).text());
}

// Blocks stand at the end of a long page: one may be asked for before it has been read.
async function source(name) {
  let element = document.getElementById(`block-${name}`);
  if (!element?.nextSibling) {
    await whole;
    element = document.getElementById(`block-${name}`);
  }
  return element;
}

function block(name) {
  if (!decoded.has(name)) {
    const entry = { value: null, promise: null };
    decoded.set(name, entry);
    entry.promise = source(name).then(async (element) => {
      entry.value = await decode(element.textContent);
      element.remove(); // The compressed text is not needed again.
      return entry.value;
    });
  }
  return decoded.get(name);
}

const blockOf = (kind, i) => block(`${kind}-${Math.floor(i / data.blockSize)}`);

// What the table shows of sample i, or null while its block is being decoded.
function textNow(i) {
  const value = blockOf('text', i).value;
  return value && value[i % data.blockSize];
}

async function textOf(i) {
  return (await blockOf('text', i).promise)[i % data.blockSize];
}

async function detailOf(i) {
  return (await blockOf('detail', i).promise)[i % data.blockSize];
}

// Lower-case text of every sample, built when the first search asks for it.
let haystack = null;
let haystackReady = false;

function searchable() {
  haystack ??= Promise.all(data.ids.map(async (id, i) => {
    const t = textNow(i) || (await textOf(i));
    return [id, t.input, t.target, ...t.output].filter(Boolean).join('\n').toLowerCase();
  })).then((texts) => { haystackReady = true; return texts; });
  return haystack;
}

// JSON in a column, or null where it is not JSON.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// The conversation of an input, or null where it is plain text.
function turns(input) {
  const value = input && input.startsWith('[') ? parsed(input) : null;
  const fits = (m) => m && typeof m.role === 'string' && typeof m.content === 'string';
  return Array.isArray(value) && value.length && value.every(fits) ? value : null;
}

function targets(target) {
  if (!target) return [];
  const value = parsed(target);
  return Array.isArray(value) ? value.map(String) : [target];
}
