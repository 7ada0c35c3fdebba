"""Which of some labels an answer names, or why none can be told.

A wrong guess would look like a measurement, so that everything doubtful counts as no label.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

_HYPHENS = r"\-\u2010\u2011"
_APOSTROPHES = "'\u2019"
_OPENING = "([{<$#\"\u201c\u201e'\u2018\u00ab"
_CLOSING = ")]}>$\"\u201d'\u2019\u00bb"
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Kana and Han: written without spaces, so that a Latin letter beside them stands alone."""

_SEPARATOR = rf"[\s_{_HYPHENS}]+"
_BETWEEN_WORDS = re.compile(rf"(?<=[^\W_]){_SEPARATOR}(?=[^\W_])")
_EMPHASIS = re.compile(r"[*`]+|(?<!\w)_+|(?<!_)_++(?!\w)")

_ENGLISH = {
    "a": re.compile(r" (?!(?:is|was|because|since|as|and|or|but|would|seems)\b)\w"),
    "i": re.compile(r" (?!(?:is|because)\b)\w"),
    "no": re.compile(r" (?!(?:because|since|as|and|or|but)\b)\w"),
}
"""Labels that are common words as well, and what follows them where they are those."""
_SHORT = "am an as at be do go he if in is it me my of on or so to up us we"
"""Labels such as IT and US are these words where they are not in capitals."""
_DENIED_BEFORE = re.compile(
    rf"(?:\b(?:not|non|no|never|neither|nor|without|than|except|unlike|exclude|eliminate|reject"
    rf"|rules? out|ruled out)|n[{_APOSTROPHES}]t)"
    rf"(?: (?:an?|the|be|option|really|quite))*\s?[{re.escape(_OPENING)}]*\Z",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    rf"[{re.escape(_CLOSING)}]? (?:(?:is|was|does|can|could|would|should)(?: \w+ly)?"
    rf"(?:n[{_APOSTROPHES}]t| not| wrong| incorrect| false)|cannot|can[{_APOSTROPHES}]t)\b",
    re.IGNORECASE,
)
_DOUBTED = re.compile(
    rf"(?:\b(?:if|whether|unless)|n[{_APOSTROPHES}]t \w+|\bnot \w+)"
    r"(?: (?:that|the|a|an|my|your|final|correct|right|best))*\s?\Z",
    re.IGNORECASE,
)
"""Before a declaration: "if the answer is B", "I don't think the answer is B"."""
_ENDED = re.compile(rf"\s*(?:\Z|[.,;:!?{re.escape(_CLOSING)}])|\n")
_OPTION = re.compile(r"\boption $", re.IGNORECASE)

_OPEN = rf"(?:[\s:{re.escape(_OPENING)}]|\\[(\[]|\\[a-z]{{1,10}}\s?\{{){{0,8}}"
_CUE = (
    r"(?:(?<![/\w])(?:answer|option|choice|label)"
    rf"(?:\s(?:is|would be|should be|must be)\b|[\"{_APOSTROPHES}]?\s?[:\uff1a=>])|\\boxed\b)"
    r"\s?:?(?:\s(?:most|likely|probably|definitely|clearly|therefore|thus|the|option|choice|label"
    r"|letter)\b){0,3}"
)
"""Begins a declaration; what it declares comes next."""
_ALSO = rf"[{re.escape(_CLOSING)}]{{0,4}}\s?(?:[,;/&]\s?(?:(?:or|and)\s)?|(?:or|and)\s)"


class Reading(NamedTuple):
    """``label`` as it was given; None with the reason ``why``."""

    label: str | None
    why: str = ""


class Labels:
    """Raises ValueError: fewer than two labels, an empty one, two that are the same."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._by_key = {_key(label): label for label in labels}
        if "" in self._by_key:
            raise ValueError("one of them is empty")
        if len(labels) < 2:
            raise ValueError("there must be at least two")
        if len(self._by_key) < len(labels):
            raise ValueError(
                "two of them are the same but for case, white space, hyphens or marks of Markdown"
            )
        one = _pattern(labels)
        edge = rf"[^\w%+#{_HYPHENS}]*"
        self._longest = max(map(len, labels)) + 40
        self._whole = re.compile(f"{edge}(?P<label>{one}){edge}", re.IGNORECASE)
        self._anywhere = re.compile(f"(?=(?P<label>{one}))", re.IGNORECASE)
        self._declared = re.compile(
            rf"{_CUE}{_OPEN}(?:(?P<label>{one})|(?:not|neither)\b)"
            rf"|\b(?:answer|option|choice|label) isn[{_APOSTROPHES}]t\b",
            re.IGNORECASE,
        )
        # The options are listed once more behind "Answer:".
        items = rf"(?:\n|[,;]\s)[{re.escape(_OPENING)}]?(?P<label>{one})[).:]"
        self._item = re.compile(items, re.IGNORECASE)
        self._also = re.compile(f"{_ALSO}{_OPEN}(?P<label>{one})", re.IGNORECASE)

    def of(self, text: str) -> str | None:
        """The label that ``text`` is."""
        return self._by_key.get(_key(text))

    def read(self, text: str) -> Reading:
        """The label that ``text`` as a whole is, else that it declares last, else the only one
        that it names."""
        text = _plain(text)
        whole = self.of(text)
        if whole is None and len(text) <= self._longest:
            match = self._whole.fullmatch(text)
            whole = match and self._label(match)
        if whole is not None:
            return Reading(whole)
        doubted: set[int] = set()
        return self._declaration(text, doubted) or self._mention(text, doubted)

    def _declaration(self, text: str, doubted: set[int]) -> Reading | None:
        """Of the last declaration; None where there is none, or one of what the answer is not.
        Where a label stands that is only supposed goes to ``doubted``."""
        last = None
        for match in self._declared.finditer(text):
            if _DOUBTED.search(text[max(0, match.start() - 40) : match.start()]):
                doubted.add(match.start("label"))
            elif match["label"] is None or self._is_declared(text, match):
                last = match
        if last is None or last["label"] is None:
            return None
        named = [self._label(last)]
        end = last.end()
        while (other := self._also.match(text, end)) and self._is_declared(text, other):
            named.append(self._label(other))
            end = other.end()
        named += map(self._label, self._item.finditer(text, end))
        return _single(named, self._by_key.values())

    def _mention(self, text: str, doubted: set[int]) -> Reading:
        """Of the labels that stand in the text as whole words, a shorter one not where it is part
        of a longer one."""
        found = []
        covered = 0
        for match in self._anywhere.finditer(text):
            if match.end("label") > covered:
                covered = match.end("label")
                if match.start("label") not in doubted and self._is_named(text, match):
                    found.append(self._label(match))
        return _single(found, self._by_key.values())

    def _label(self, match: re.Match[str]) -> str | None:
        (start, end), text = match.span("label"), match.string
        # A combining mark belongs to the word, though it is no letter to a regular expression.
        beside = text[max(0, start - 1) : start] + text[end : end + 1]
        if any(unicodedata.category(c).startswith("M") for c in beside):
            return None
        return self.of(match["label"])

    def _is_declared(self, text: str, match: re.Match[str]) -> bool:
        label, end = self._label(match), match.end("label")
        if label is None or _is_english(label, text, end):
            return False
        return _in_own_case(label, match) or _ENDED.match(text, end) is not None

    def _is_named(self, text: str, match: re.Match[str]) -> bool:
        label, (start, end) = self._label(match), match.span("label")
        if label is None or not any(c.isalnum() for c in label):
            return False
        before = text[max(0, start - 30) : start]
        if _DENIED_BEFORE.search(before) or _DENIED_AFTER.match(text, end):
            return False
        is_option = _OPTION.search(before) is not None
        if _in_own_case(label, match):
            return is_option or not _is_english(label, text, end)
        return _is_marked(text, start, end) or (is_option and _ENDED.match(text, end) is not None)


def _single(named: Sequence[str | None], labels: Iterable[str]) -> Reading:
    names = set(named)
    several = [label for label in labels if label in names]
    if len(several) == 1:
        return Reading(several[0])
    if not several:
        return Reading(None, "no label")
    more = ", ..." if len(several) > 5 else ""
    return Reading(None, f"several labels: {', '.join(several[:5])}{more}")


def _in_own_case(label: str, match: re.Match[str]) -> bool:
    """Whether its case says that a single letter, or a word like "it", is meant as a label; true
    of all others."""
    plain = _plain(label)
    return not (len(plain) == 1 or plain.casefold() in _SHORT.split()) or match["label"] == plain


def _is_english(label: str, text: str, end: int) -> bool:
    word = _ENGLISH.get(label.lower())
    return word is not None and word.match(text, end) is not None


def _is_marked(text: str, start: int, end: int) -> bool:
    """In brackets or quotes, or like the letter before an item of a list: ``b)``, ``b.``."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    if before in ("", "\n"):
        return after != "" and after in ").:"
    return after != "" and before in _OPENING and after in _CLOSING


def _plain(text: str) -> str:
    """NFC, without Markdown's emphasis, white space as one space or one newline."""
    if not text.isascii():
        text = re.sub(r"\S+", _composed, text)
    text = _EMPHASIS.sub("", text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _composed(word: re.Match[str]) -> str:
    # Thousands of combining marks in a row would take quadratic time to sort.
    return unicodedata.normalize("NFC", word[0]) if len(word[0]) <= 1000 else word[0]


def _key(text: str) -> str:
    return _BETWEEN_WORDS.sub(" ", " ".join(_plain(text).casefold().split()))


def _pattern(labels: Iterable[str]) -> str:
    """Any of the labels as a whole word, the longest that fits. Hyphens, underscores and white
    space between its words are the same: "low risk" is "low_risk" where that is a label, and not
    "risk"."""
    longest_first = sorted(map(_plain, labels), key=len, reverse=True)
    # Neighbours share what must stand around them: compiling that for each label takes seconds.
    groups = groupby(longest_first, lambda label: (_before(label[0]), _after(label[-1])))
    return f"(?:{'|'.join(f'{x}(?:{_either(same)}){y}' for (x, y), same in groups)})"


def _either(labels: Iterable[str]) -> str:
    split = (map(re.escape, _BETWEEN_WORDS.split(label)) for label in labels)
    return "|".join(_SEPARATOR.join(words) for words in split)


def _before(first: str) -> str:
    word = _word(first)
    joined = rf"(?<!{word})(?<!{word}[{_HYPHENS}{_APOSTROPHES}./@&_])"
    return joined + (r"(?<![-+\u2212.,])" if first.isdigit() else "")


def _after(last: str) -> str:
    word = _word(last)
    return rf"(?!{word}|[{_HYPHENS}+#]|\s?%|[{_APOSTROPHES}/@&]{word}|\.\d|\.{word}(?!{word})|,\d)"


def _word(edge: str) -> str:
    """What continues a word that has this character at its edge."""
    return r"\w" if re.match(f"[{_UNSPACED}]", edge) else rf"[^\W{_UNSPACED}]"
