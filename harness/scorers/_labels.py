"""Which of some labels an answer names, or why none can be told.

A wrong guess would look like a measurement, so that everything doubtful counts as no label.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from harness.scorers._thinking import answer_of

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
_END = rf"""
    (?P<end> [.!](?=[\s{re.escape(_CLOSING)}]|\Z) | [?;\u3002\uff01\uff0c\uff1b\uff1f] | <
      | (?<![:,])(?<!\bis)(?<!\bbe)(?<!\bnot)\n
      | [,{{]\s?(?="\w{{1,40}}"\s?:) )  # A key of JSON.
  | (?P<soft> ,\s(?=(?:so|but|hence|thus|therefore|then|instead|it\sis|it[{_APOSTROPHES}]s
      |(?:the\s|my\s|our\s)?(?:\w{{1,20}}\s){{0,2}}(?:answer|option|choice|label))\b) )
"""
"""A clause ends; at ``soft`` not one with a condition: "if not, the answer is B"."""
_DENIAL = rf"""
    (?P<condition> \b(?:if|unless|whether|suppos(?:e|ing)|assum(?:e|ing)|imagine)\b )
  | (?P<no>
      \b(?:not?|non|none|nothing|nobody|neither|nor|never|hardly|scarcely|barely|rarely|seldom
      |cannot|cant|(?:is|are|was|were|do|does|did|would|could|should|has|have)nt|without|lack\w*
      |absen(?:t|ce)|far\sfrom|(?:anything|all|every\w*)\s(?:of\sthem\s)?but|opposite|less
      |fail\w*|little|few|too|than|except|unlike|instead\sof
      |opposed|versus|vs|unlikely|unclear|unsure|uncertain|unable|doubt\w*|impossible|improbable
      |dubious|questionable|exclud\w*|eliminat\w*|reject\w*|rul(?:e|es|ed|ing)\sout|den(?:y|ies|ied)
      |refut\w*|disprov\w*|wrong\w*|incorrect\w*|false\w*|mistak\w*|though|although
      |(?:some|many|most|people|students|others|they)\s(?:\w{{1,20}}\s)?
       (?:say|think|believe|claim|argue)
      |nicht|kein\w*|nie|niemals|weder|ohne|ob|ne|pas|jamais|aucun\w*|sans|ni|nunca|jam\u00e1s
      |ning[u\u00fa]n\w*|sin|tampoco|nessun\w*|senza|n\u00e3o|nem|sem|nenhum\w*|niet|geen|nooit
      |ikke|inte|ej|nie|\u043d\u0435|\u043d\u0435\u0442|\u043d\u0438|kh\u00f4ng)\b
      | n[{_APOSTROPHES}]t\b | \bn[{_APOSTROPHES}](?=\w) )
  | (?P<all>  # Before or after what they deny: Chinese, Japanese, Korean, Hindi, Turkish, Arabic.
      [\u4e0d\u6ca1\u6c92\u7121\u65e0\u5426\u932f\u9519] | \u975e(?!\u5e38) | \u672a(?!\u6765)
      | \u306a\u3044 | \u306a\u304f | \u307e\u305b\u3093 | \uc544\ub2c8 | \uc544\ub2cc | \uc54a
      | \uc5c6 | \u0928\u0939\u0940\u0902 | \bde\u011fil | \u0644\u064a\u0633 )
"""
"""In a clause with one of these no later label is meant, at least not for certain."""
_DOUBT = r"""
    (?P<doubt> \b(?:least|worst|second|next|other|others|another|alternative\w*|some|many|most
      (?=\s(?:people|students))|students|people|common\w*|tempting|obvious|naive|initial\w*|at\sfirst
      |first\sthought|original\w*|earlier|previous\w*|thought|distractors?|example|format)\b )
"""
"""What is declared after one of these is somebody else's answer, or not the first one."""
_DENIED = re.compile(f"{_END}|{_DENIAL}", re.IGNORECASE | re.VERBOSE)
_DOUBTED = re.compile(f"{_END}|{_DENIAL}|{_DOUBT}", re.IGNORECASE | re.VERBOSE)
_DENIED_AFTER = re.compile(
    rf"""[{re.escape(_CLOSING)}]{{0,4}}(?:
      (?:[ ](?!(?:because|since|as|so|for|that|which|who|while|but|than)\b)\w{{1,20}}){{0,3}}?
      [ ](?:is|are|was|were|be|seems?|looks?|appears?|sounds?|does|do|did|has|have|had|can|could
        |would|will|should|must|may|might)
      (?:[ ]\w{{1,20}}){{0,2}}?
      (?:n[{_APOSTROPHES}]t|[ ](?:not?|never|hardly|unlikely|wrong|incorrect|false|out|impossible
        |excluded|eliminated|rejected|tempting))\b
      | [ ](?:cannot|can[{_APOSTROPHES}]t|won[{_APOSTROPHES}]t|fails?|or[ ]not(?![ ]\w))\b
      | [ ]?[:(][ ]?(?:wrong|incorrect)\b | [ ]?[\u2717\u2718\u274c] )""",
    re.IGNORECASE | re.VERBOSE,
)
_TAKEN_BACK = re.compile(
    rf"\b(?:wait\b|hold on|hmm+|oops|correction|on second thought|on reflection|reconsider\w*"
    rf"|(?:my|a|made an?) (?:mistake|error)|(?:i|that)(?:[{_APOSTROPHES}](?:m|s)| am| is| was)"
    rf" (?:wrong|incorrect|mistaken|not right)|scratch that|kidding"
    r"|(?:actually|but|no),? no|no,)",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"\b(?:but|however|actually|perhaps|maybe|possibly|instead|rather|should|though|although"
    r"|yet|alternatively|final\w*|sorry|i mean)\b|\u2192|[-=]>",
    re.IGNORECASE,
)
_AFFIRMED = re.compile(
    rf"[{re.escape(_CLOSING)}]{{0,4}} (?:is|was|seems|would be|must be|should be)"
    r"(?: (?:the|indeed|actually|clearly|also|more|most|a|an)){0,3}"
    r" (?:correct|right|true|best|better|likely|answer)\b",
    re.IGNORECASE,
)
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


class Mention(NamedTuple):
    """A label that stands in the text as a whole word."""

    label: str
    start: int
    end: int
    denied: bool = False


_NONE = Reading(None, "no label")


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
        self._declared = re.compile(rf"{_CUE}{_OPEN}(?P<label>{one})", re.IGNORECASE)
        # The options are listed once more behind "Answer:".
        items = rf"(?:\n|[,;]\s)[{re.escape(_OPENING)}]?(?P<label>{one})[).:]"
        self._item = re.compile(items, re.IGNORECASE)
        self._also = re.compile(f"{_ALSO}{_OPEN}(?P<label>{one})", re.IGNORECASE)

    def of(self, text: str) -> str | None:
        """The label that ``text`` is."""
        return self._by_key.get(_key(text))

    def read(self, text: str) -> Reading:
        """The label that ``text`` as a whole is, else the one that it declares, else the only one
        that it names. What was thought aloud before ``</think>`` does not count."""
        text = _plain(answer_of(text))
        whole = self._only(text)
        if whole is not None:
            return Reading(whole)
        mentions, unclear = self._mentions(text)
        clauses = _clauses(_DOUBTED, text, mentions)
        doubted: set[int] = set()
        declared = self._declaration(text, clauses, mentions, doubted)
        if declared is not None:
            return declared
        return _NONE if unclear else self._mention(text, mentions, doubted)

    def _only(self, text: str) -> str | None:
        """The label that is all of ``text`` but for marks around it."""
        label = self.of(text)
        if label is None and len(text) <= self._longest:
            match = self._whole.fullmatch(text)
            label = match and self._label(match)
        return label

    def _declaration(
        self,
        text: str,
        clauses: Sequence[tuple[int, int]],
        mentions: Sequence[Mention],
        doubted: set[int],
    ) -> Reading | None:
        """The one label of all declarations, among them a last line that is a label; None without
        a declaration. Where a label stands that is only supposed goes to ``doubted``."""
        named: list[str | None] = []
        end = 0
        for match in self._declared.finditer(text):
            label, start = self._label(match), match.start("label")
            if label is None:
                continue
            if _within(clauses, match.start()) or _DENIED_AFTER.match(text, match.end()):
                doubted.add(start)
            elif _is_english(label, text, match.end()):
                if _in_own_case(label, match):
                    return _NONE  # "Answer: A Paris", or "Answer: A cat"?
            elif self._is_declared(text, match):
                named.append(label)
                end = match.end()
                while (other := self._also.match(text, end)) and self._is_declared(text, other):
                    named.append(self._label(other))
                    end = other.end()
        last = text.rfind("\n") + 1
        label = self._only(text[last:])
        if label is not None and last >= end and not _within(clauses, last):
            named += [label, *filter(None, map(self._only, text[end:last].splitlines()))]
            end = len(text)
        if not named:
            return None
        named += map(self._label, self._item.finditer(text, end))
        return self._standing(named, text, end, mentions)

    def _standing(
        self, named: Sequence[str | None], text: str, end: int, mentions: Sequence[Mention]
    ) -> Reading:
        """What is declared, unless the text after ``end`` takes it back or turns to another."""
        declared = _single(named, self._by_key.values())
        if declared.label is None:
            return declared
        if _TAKEN_BACK.search(text, end):
            return _NONE
        turn = _TURN.search(text, end)
        others = []
        for mention in mentions:
            if mention.start < end:
                continue
            if mention.label == declared.label and mention.denied:
                return _NONE
            turned = turn is not None and turn.start() < mention.start
            if not mention.denied and (turned or _AFFIRMED.match(text, mention.end)):
                others.append(mention.label)
        return _single([declared.label, *others], self._by_key.values())

    def _mention(self, text: str, mentions: Sequence[Mention], doubted: set[int]) -> Reading:
        """The only label that is named and not denied."""
        meant = [m for m in mentions if not m.denied and m.start not in doubted]
        denied = {m.label for m in mentions if m.denied}
        found = _single([m.label for m in meant], self._by_key.values())
        if found.label is None:
            return found
        taken_back = found.label in denied or _TAKEN_BACK.search(text, meant[-1].end)
        return _NONE if taken_back else found

    def _mentions(self, text: str) -> tuple[list[Mention], bool]:
        """The labels that stand in the text as whole words, a shorter one not where it is part of
        a longer one; and whether a word is there that may be a label or not ("A Vitamin C")."""
        found = []
        unclear = False
        covered = 0
        for match in self._anywhere.finditer(text):
            if match.end("label") <= covered:
                continue
            covered = match.end("label")
            label = self._label(match)
            if label is not None and self._is_named(text, match, label):
                found.append(Mention(label, *match.span("label")))
            unclear = unclear or (label is not None and _is_unclear(label, text, match))
        clauses = _clauses(_DENIED, text, found)
        return [
            m._replace(denied=_within(clauses, m.start) or bool(_DENIED_AFTER.match(text, m.end)))
            for m in found
        ], unclear

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

    def _is_named(self, text: str, match: re.Match[str], label: str) -> bool:
        start, end = match.span("label")
        if not any(c.isalnum() for c in label):
            return False
        is_option = _OPTION.search(text, max(0, start - 30), start) is not None
        if _in_own_case(label, match):
            return is_option or not _is_english(label, text, end)
        return _is_marked(text, start, end) or (is_option and _ENDED.match(text, end) is not None)


def _clauses(
    pattern: re.Pattern[str], text: str, labels: Sequence[Mention]
) -> list[tuple[int, int]]:
    """Where what the text says is denied: from the first such word in a clause to its end, and
    all of a question. A word that is part of a label ("not urgent", "no") denies nothing."""
    spans = []
    within = [(label.start, label.end) for label in labels]
    begin, since, condition = 0, None, False
    for match in pattern.finditer(text):
        kind = match.lastgroup
        if kind == "end" or (kind == "soft" and not condition):
            since = begin if match[0] in "?\uff1f" else since
            if since is not None:
                spans.append((since, match.start()))
            begin, since, condition = match.end(), None, False
        elif kind != "soft" and not _within(within, match.start()):
            since = begin if kind == "all" else match.end() if since is None else since
            condition = condition or kind == "condition"
    if since is not None:
        spans.append((since, len(text)))
    return spans


def _within(spans: Sequence[tuple[int, int]], place: int) -> bool:
    before = bisect_right(spans, place, key=lambda span: span[0])
    return before > 0 and place < spans[before - 1][1]


def _single(named: Iterable[str | None], labels: Iterable[str]) -> Reading:
    names = set(named)
    several = [label for label in labels if label in names]
    if len(several) == 1:
        return Reading(several[0])
    if not several:
        return _NONE
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


def _is_unclear(label: str, text: str, match: re.Match[str]) -> bool:
    """Whether it may be the article, or "no" as in "no cat", but then at a place where that is not
    for sure: "A Vitamin C", "I choose A due to vitamin C"."""
    start, end = match.span("label")
    if _OPTION.search(text, max(0, start - 30), start):
        return False
    if label.lower() == "i" or not (_in_own_case(label, match) and _is_english(label, text, end)):
        return False
    if start <= 8 and not re.search(r"\w", text[:start]):
        return True
    return len(label) == 1 and re.search(r"\w \Z", text[start - 2 : start]) is not None


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
