"""What a judge is asked: a text with places for the question and the answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from harness import fingerprints
from harness.errors import SuiteError, did_you_mean

Kind = Literal["pointwise", "pairwise"]
LOW, HIGH = 1, 5
"""Of a pointwise score."""
BUILT_IN = Path(__file__).parent / "rubrics"
PLACES = ("question", "reference", "answer", "answer_1", "answer_2")
_PLACE = re.compile(r"\{(" + "|".join(PLACES) + r")\}")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
FILES = (".md", ".txt")


@dataclass(frozen=True)
class Rubric:
    """A rubric: ``{question}`` and ``{answer}`` in ``text`` make it pointwise (a score of 1 to 5),
    ``{question}``, ``{answer_1}`` and ``{answer_2}`` pairwise; ``{reference}`` is the sample's
    target. Other braces are text.

    Raises SuiteError where a place is missing, of the other kind, or there twice.
    """

    name: str
    """The metric is ``judge_<name>``."""
    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise SuiteError(
                f"A rubric's name must be small letters, digits and underscores, as it names the "
                f"metric; got {self.name!r}."
            )
        where = f"The rubric '{self.name}'"
        if not isinstance(self.text, str):
            raise SuiteError(f"{where} must be a text, got {type(self.text).__name__}.")
        found = _PLACE.findall(self.text)
        twice = sorted({place for place in found if found.count(place) > 1})
        if twice:
            raise SuiteError(f"{where} has {{{twice[0]}}} twice. Keep one.")
        pair = "answer_1" in found or "answer_2" in found
        if pair and "answer" in found:
            raise SuiteError(
                f"{where} has {{answer}} and {{answer_1}} or {{answer_2}}. A pointwise rubric has "
                "{answer}, a pairwise one {answer_1} and {answer_2}."
            )
        needed = ("question", "answer_1", "answer_2") if pair else ("question", "answer")
        for place in needed:
            if place not in found:
                raise SuiteError(
                    f"{where} lacks {{{place}}}, so the judge would not see it. "
                    + ("A pairwise" if pair else "A pointwise")
                    + " rubric has "
                    + ", ".join(f"{{{p}}}" for p in needed)
                    + ", and {reference} where the target is to be shown."
                )

    @cached_property
    def kind(self) -> Kind:
        return "pairwise" if "{answer_1}" in self.text else "pointwise"

    @property
    def shows_reference(self) -> bool:
        return "{reference}" in self.text

    @property
    def sha256(self) -> str:
        return fingerprints.of([self.name, self.text])

    def filled(self, places: dict[str, str]) -> str:
        """The text with every place replaced; what is put in is not looked through again."""
        return _PLACE.sub(lambda found: places[found[1]], self.text)


def built_in() -> list[str]:
    """Names of the rubrics that come with the package."""
    return sorted(file.stem for file in BUILT_IN.glob("*.md"))


def names_a_file(spec: str) -> bool:
    return spec.endswith(FILES)


def load(spec: Rubric | str, folder: Path | None = None) -> Rubric:
    """A rubric as it is; the built-in one of that name; that of a text file (``.md``, ``.txt``,
    UTF-8), which is named as the file. ``folder``: where relative paths start.

    Raises SuiteError for an unknown name, a file that cannot be read, and a wrong rubric.
    """
    if isinstance(spec, Rubric):
        return spec
    if not isinstance(spec, str):
        raise SuiteError(f"A rubric must be a name, a file or a Rubric, got {spec!r}.")
    if names_a_file(spec):
        file = (folder or Path()) / spec
        try:
            return Rubric(file.stem, file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise SuiteError(f"The rubric {file} cannot be read: {error}.") from error
        except SuiteError as error:
            raise SuiteError(f"{file}: {error}") from error
    if spec in built_in():
        return Rubric(spec, (BUILT_IN / f"{spec}.md").read_text(encoding="utf-8"))
    raise SuiteError(
        f"There is no rubric '{spec}'.{did_you_mean(spec, built_in())} A rubric of your own is a "
        "file, such as 'rubrics/tone.md', or a harness.judging.Rubric."
    )
