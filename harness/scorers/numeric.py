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
from harness.types import Metric, Sample, Score

Which = Literal["last", "first", "only"]

_MINUS = "\u2212\uff0d"
_CURRENCY = "$\u00a2-\u00a5\u0e3f\u20a0-\u20c0\uff04\uffe0\uffe1\uffe5\uffe6"
_GROUPS = ",\u00a0\u2009\u202f"
"""Comma, no-break space, thin space, narrow no-break space."""
_NUMBER = re.compile(
    rf"""
    (?:(?<![-\w)\]}}%{_MINUS}])(?<!\d[{_CURRENCY}])  # After these a hyphen joins or subtracts.
       (?P<minus>[-{_MINUS}])[{_CURRENCY}]?)?
    (?P<digits>
        (?:(?!0)\d{{1,3}}(?P<group>[{_GROUPS}])\d{{3}}(?:(?P=group)\d{{3}})*(?!\d)|\d+)(?:\.\d+)?
      | (?<![\w.])\.\d+
    )
    (?:[eE](?P<exponent>[-+{_MINUS}]?\d+))?
    """,
    re.VERBOSE,
)
_PRECISION = 50
_EXACT = Context(prec=_PRECISION, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_FAR = 10**17
"""Exponents are cut there: decimal has none of more than 18 digits."""


@dataclass(frozen=True)
class Numeric:
    """``numeric``: 1 where the number read from the prediction is within
    ``max(tolerance, relative * |target|)`` of the target's, else 0.

    Read are whole numbers, decimals with a point, and exponents (1.5e-3). Three digits after a
    comma, or a thin or no-break space, continue the number: 1,234,567; 1,5 is 1 and 5. A hyphen or
    minus sign directly before the number is its sign, but not after a digit, a letter, a
    closing bracket, a per cent sign or another hyphen: 3-4 is 3 and 4. Everything else around a
    number is ignored, currencies and units among it: 50% is 50, CO2 has the number 2, 1/2 has 1
    and 2. Number words are not read. A prediction without a number scores 0.

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
            f"1 if {read} is {far} the target's number, else 0; decimal point, comma or thin or "
            "no-break space before three digits, exponent; currencies, per cent signs and other "
            f"units ignored; decimal arithmetic, differences to {_PRECISION} digits; 0 without a "
            f"number; {BEST}"
        )
        return (Metric("numeric", definition, binary=True, version="harness.numeric==1"),)

    def score(
        self, predictions: Sequence[str], samples: Sequence[Sample]
    ) -> list[Mapping[str, Score]]:
        """1.0 or 0.0 for each prediction. Unscored: a sample without targets, or with one that
        does not hold exactly one number."""
        return best_of_targets(["numeric"], predictions, samples, self._pair)

    def _pair(self, prediction: str, target: str) -> dict[str, Score]:
        wanted = [_value(match) for match in _NUMBER.finditer(target)]
        if len(wanted) != 1:
            why = f"a target has {len(wanted) or 'no'} numbers, and must have one"
            return {"numeric": Score.unscored(why)}
        found = self._read(prediction)
        return {"numeric": Score(float(found is not None and self._close(found, wanted[0])))}

    def _read(self, prediction: str) -> Decimal | None:
        matches = list(_NUMBER.finditer(prediction))
        if not matches:
            return None
        if self.which == "only":
            values = {_value(match) for match in matches}
            return values.pop() if len(values) == 1 else None
        return _value(matches[0 if self.which == "first" else -1])

    def _close(self, found: Decimal, wanted: Decimal) -> bool:
        # As written: 0.1 is a tenth, not the nearest binary fraction.
        share = _EXACT.multiply(Decimal(str(self.relative)), wanted.copy_abs())
        allowed = max(Decimal(str(self.tolerance)), share)
        return _EXACT.subtract(found, wanted).copy_abs() <= allowed


def _value(match: re.Match[str]) -> Decimal:
    digits = re.sub(f"[{_GROUPS}]", "", match["digits"])
    exponent = _exponent(match["exponent"] or "0")
    return Decimal(f"{'-' if match['minus'] else ''}{digits}e{exponent}")


def _exponent(text: str) -> int:
    negative = text[0] in f"-{_MINUS}"
    digits = text.lstrip(f"+-{_MINUS}").lstrip("0") or "0"
    size = _FAR if len(digits) > 17 else int(digits)
    return -size if negative else size
