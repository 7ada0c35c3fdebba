"""Numeric: is the number in the answer the target's?"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Literal, get_args

from harness.errors import SuiteError
from harness.scorers._targets import BEST, best_of_targets
from harness.scorers._thinking import answer_of
from harness.types import Metric, Sample, Score

Which = Literal["last", "first", "only"]

_MINUS = "-\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"
"""Hyphens, figure dash, en dash and the minus signs."""
_CURRENCY = "$\u00a2-\u00a5\u0e3f\u20a0-\u20c0\uff04\uffe0\uffe1\uffe5\uffe6"
_SPACES = " \u00a0\u2009\u202f"
"""Space, no-break space, thin space, narrow no-break space."""
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Kana and Han: a hyphen behind them joins no words."""
_RAISED = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b", "0123456789+-"
)
_POWER = r"""(?:(?:[ ]?\^[ ]?|\*\*)\{{?[ ]?(?P<{0}>[{minus}+]?\d+)
             |(?P<{0}_raised>[\u207a\u207b]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+))"""
_NUMBER = re.compile(
    rf"""
    \^[ ]?\{{?[ ]?[{_MINUS}+]?\d+  # The power of a unit or a letter is no number.
  | (?P<sign>[{_MINUS}][{_SPACES}]?[{_CURRENCY}]?|\b(?P<word>minus|negative)[{_SPACES}])?
    (?P<digits>
        (?:(?!0)\d{{1,3}}(?P<group>[,{_SPACES}])\d{{3}}(?:(?P=group)\d{{3}})*(?!\d)|\d+)(?:\.\d+)?
      | (?<![\w.])\.\d+
    )
    (?:[eE](?P<exponent>[{_MINUS}+]?\d+)
      | {_POWER.format("power", minus=_MINUS)}
      | [ ]?(?:[x*\u00d7\u00b7\u22c5]|\\times|\\cdot)[ ]?10{_POWER.format("scale", minus=_MINUS)}
    )?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_OPERAND = re.compile(rf"(?:(?![{_UNSPACED}])[{_MINUS}\w)\]}}%]|\d[{_CURRENCY}])\Z")
"""Directly before a sign: it joins or subtracts."""
_NO_OPERAND = re.compile(rf"(?:[=\u2248(\[{{:]|\b(?:is|equals))[{_SPACES}]?\Z", re.IGNORECASE)
"""Before a sign that stands alone: it cannot subtract."""
_MARKUP = re.compile(r"\[/?[A-Z_]{3,40}\]")
"""Such as [/INST]."""
_BOXED = re.compile(r"\\boxed\s?\{((?:[^{}]++|\{[^{}]*+\})*+)\}")
_LATEX = ((r"{,}", ","), (r"\,", "\u2009"), (r"\;", "\u2009"), (r"\!", ""))
_PRECISION = 50
_EXACT = Context(prec=_PRECISION, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_DIGITS = 17
"""Of an exponent: decimal has none of more than 18."""


@dataclass(frozen=True)
class Numeric:
    """``numeric``: 1 where the number read from the prediction is within
    ``max(tolerance, relative * |target|)`` of the target's, else 0.

    Read are whole numbers, decimals with a point, and exponents (1.5e-3, 2×10^6, 2\\times 10^{6},
    10⁶). Three digits after a comma or a space of any kind continue the number: 1,234,567, 1 000;
    1,5 is 1 and 5. LaTeX's ``{,}``, ``\\,`` and ``\\;`` are such marks.

    A hyphen, en dash or minus sign directly before the number is its sign, but not after a
    digit, a letter (Han and kana aside), a closing bracket, a per cent sign or another hyphen: 3-4
    is 3 and 4. With a space behind it, or as the word "minus", it is the sign after "=", "(", "[",
    "{", ":", "is" and "equals"; so is "minus" at the beginning of a line, as is the minus sign
    proper (a hyphen there is a list's), and "negative" everywhere.

    Everything else around a number is ignored, currencies and units with their powers among it:
    50% is 50, 25 m^2 is 25, CO2 has the number 2, 1/2 has 1 and 2. Number words are not read. No
    value have a power of another number than 10 (2^10), "minus 5" elsewhere (10 minus 5) and an
    exponent of more than 17 digits: a prediction whose number is one of these scores 0, as does
    one without a number.

    Of a text with ``\\boxed{}`` only what stands in the last one is read, else what follows the
    last ``</think>``.

    Raises SuiteError for a tolerance that is negative or no finite number.
    """

    tolerance: float = 0.0
    """Greatest absolute difference, in the unit of the target."""
    relative: float = 0.0
    """Greatest difference as a share of the target's absolute value."""
    which: Which = "last"
    """Of the prediction's numbers. ``only``: one that has two different ones scores 0."""

    def __post_init__(self) -> None:
        for name in ("tolerance", "relative"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 <= value <= sys.float_info.max:
                raise SuiteError(
                    f"Numeric: {name} must be a finite number of at least 0, got {value!r}."
                )
            object.__setattr__(self, name, float(value))
        if self.which not in get_args(Which):
            raise SuiteError(
                f"Numeric: which must be 'last', 'first' or 'only', got {self.which!r}."
            )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        read = {
            "last": "the last number in the prediction",
            "first": "the first number in the prediction",
            "only": "the one number in the prediction (two different ones: 0)",
        }[self.which]
        far = "equal to"
        if self.tolerance or self.relative:
            far = f"within max({self.tolerance}, {self.relative} * |target|) of"
        definition = (
            f"1 if {read} is {far} the target's number, else 0; of a text what follows the last "
            "'</think>', and of that the last '\\boxed{}' if there is one; decimal point, comma or "
            "space before three digits, exponents, powers of 10; currencies, per cent signs and "
            f"other units with their powers ignored; decimal arithmetic, differences to "
            f"{_PRECISION} digits; 0 without a number, or where it is another power, has an "
            f"exponent of more than {_DIGITS} digits or a 'minus' that may subtract; {BEST}"
        )
        return (Metric("numeric", definition, binary=True, version="harness.numeric==1"),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """1.0 or 0.0 for each prediction. Unscored: a sample without targets, or with one that
        does not hold exactly one number."""
        return best_of_targets(["numeric"], predictions, samples, self._pair)

    def _pair(self, prediction: str, target: str) -> dict[str, Score]:
        wanted = _numbers(target)
        if len(wanted) != 1 or wanted[0] is None:
            readable = len(wanted) - wanted.count(None)
            why = f"a target has {readable or 'no'} numbers that can be read, and must have one"
            return {"numeric": Score.unscored(why)}
        found = self._read(prediction)
        return {"numeric": Score(float(found is not None and self._close(found, wanted[0])))}

    def _read(self, prediction: str) -> Decimal | None:
        values = _numbers(prediction)
        if self.which == "only":
            values = list(set(values))
            return values[0] if len(values) == 1 else None
        return values[0 if self.which == "first" else -1] if values else None

    def _close(self, found: Decimal, wanted: Decimal) -> bool:
        # As written: 0.1 is a tenth, not the nearest binary fraction.
        share = _EXACT.multiply(Decimal(str(self.relative)), wanted.copy_abs())
        allowed = max(Decimal(str(self.tolerance)), share)
        return _EXACT.subtract(found, wanted).copy_abs() <= allowed


def _numbers(text: str) -> list[Decimal | None]:
    """In their order; None for what looks like a number and has no certain value."""
    text = _MARKUP.sub(" ", answer_of(text))
    for mark, plain in _LATEX:
        text = text.replace(mark, plain)
    boxed = _BOXED.findall(text)
    found = _NUMBER.finditer(boxed[-1] if boxed else text)
    return [_value(match) for match in found if match["digits"]]


def _value(match: re.Match[str]) -> Decimal | None:
    sign = _sign(match)
    digits = re.sub(f"[,{_SPACES}]", "", match["digits"])
    power = _written(match, "power")
    if sign is None or (power is not None and digits != "10"):
        return None
    if power is not None:
        digits = "1"
    exponent = _exponent(power or match["exponent"] or _written(match, "scale") or "0")
    return None if exponent is None else Decimal(f"{sign}{digits}e{exponent}")


def _written(match: re.Match[str], name: str) -> str | None:
    raised: str | None = match[f"{name}_raised"]
    return raised.translate(_RAISED) if raised else match[name]


def _sign(match: re.Match[str]) -> str | None:
    """ "-" or ""; None where a "minus" may subtract."""
    sign, text, start = match["sign"], match.string, match.start()
    if not sign:
        return ""
    before = text[max(0, start - 10) : start]
    if match["word"] or sign[1:2] in tuple(_SPACES):
        alone = _NO_OPERAND.search(before) is not None
        begins = before[-1:] in ("", "\n")
        if match["word"]:
            return "-" if alone or begins or match["word"].lower() == "negative" else None
        return "-" if alone or (begins and sign[0] in "\u2212\uff0d") else ""
    return "" if _OPERAND.search(before) else "-"


def _exponent(text: str) -> int | None:
    """None where it has too many digits."""
    negative = text[0] in _MINUS
    digits = text.lstrip(f"+{_MINUS}").lstrip("0") or "0"
    if len(digits) > _DIGITS:
        return None
    return -int(digits) if negative else int(digits)
