"""Numbers and hostile text as a reader may see them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup

MINUS = "−"

# Characters that are invisible, that break lines unseen, or that reorder what stands around them;
# the last range are tags, in which text can be hidden from all but a model. The zero-width joiners
# are left alone: emoji and several scripts are spelt with them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(value: object) -> object:
    """A string with its hidden characters made visible and lone surrogates replaced.

    Anything else, and markup, is returned as it is. Used as the ``finalize`` of the templates,
    so that no printed value misses it.
    """
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _HIDDEN.sub(lambda m: f"⟨U+{ord(m[0]):04X}⟩", _SURROGATE.sub("\ufffd", value))


def number(value: float | None, *, signed: bool = False, decimals: int | None = None) -> str:
    """Three decimals below 10, fewer above, two digits where three decimals would be 0."""
    if value is None:
        return "–"
    size = abs(value)
    if decimals is None:
        decimals = 3 if size < 10 else 1 if size < 1000 and value % 1 else 0
    text = f"{size:,.{decimals}f}"
    if size and not float(text.replace(",", "")):
        text = f"{size:.2g}"
    sign = MINUS if value < 0 else "+" if signed and value > 0 else ""
    return sign + text


def plain_number(value: float) -> str:
    """As short as it can be said: 0.02, not 0.020."""
    whole = isinstance(value, int) or (abs(value) >= 10_000 and value == round(value))
    text = f"{value:,.0f}" if whole else f"{value:.6g}"
    return text.replace("-", MINUS)


def interval(
    low: float | None, high: float | None, *, signed: bool = False, limits: Sequence[float] = ()
) -> str:
    """``low`` to ``high`` in words; None: that side is open.

    With as many decimals as it takes to tell a bound from a limit: 0.01996 and a margin of 0.02
    must not both read 0.020.
    """
    bounds = [b for b in (low, high) if b is not None]
    if not bounds:
        return "no interval"
    decimals = None
    for places in (3, 4, 5, 6):
        pairs = [(b, m) for b in bounds for m in limits if b != m]
        if all(round(b, places) != round(m, places) for b, m in pairs):
            decimals = places if places > 3 else None
            break
    texts = [number(b, signed=signed, decimals=decimals) for b in bounds]
    if len(texts) == 2:
        return " to ".join(texts)
    return f"{'at most' if low is None else 'at least'} {texts[0]}"


def sentence(text: str) -> str:
    """``text`` with an end, so that another sentence may follow."""
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def count(n: int, noun: str, plural: str | None = None) -> str:
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def percent(level: float) -> str:
    return f"{level * 100:.4g}%"


def joined(names: Sequence[str], last: str = "and") -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
