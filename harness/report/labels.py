"""Names beside points of a plot, placed so that they lie on nothing else where that can be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH = 470
"""Pixels of a plot's field on an ordinary screen, for which names are placed."""
_LETTER, _LINE = 7.2, 16
"""Pixels of a letter and of a line."""
_DOT = 9

Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Label:
    dx: int
    dy: int
    anchor: str
    """``start``, ``middle`` or ``end``: where ``dx`` leads to."""


_PLACES = (
    Label(12, 4, "start"),
    Label(-12, 4, "end"),
    Label(0, -13, "middle"),
    Label(0, 22, "middle"),
    Label(10, -12, "start"),
    Label(-10, -12, "end"),
    Label(10, 20, "start"),
    Label(-10, 20, "end"),
)


def place(
    names: Sequence[str],
    spots: Sequence[tuple[float, float]],
    height: int,
    lines: Sequence[Box] = (),
) -> list[Label]:
    """For each name its place at a point of ``spots`` (percent of width and of height).

    ``lines``: what is drawn besides, upright or level, in the same percents.
    """
    points = [(x * WIDTH / 100, y * height / 100) for x, y in spots]
    dots: list[Box] = [(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in points]
    other = [
        (a * WIDTH / 100 - 2, b * height / 100 - 2, c * WIDTH / 100 + 2, d * height / 100 + 2)
        for a, b, c, d in lines
    ]
    placed: list[Box] = []
    found: dict[int, Label] = {}
    for i in sorted(range(len(names)), key=lambda i: points[i]):
        boxes = list(_boxes(names[i], points[i]))
        taken = [*dots[:i], *dots[i + 1 :], *placed, *other]
        costs = [_cost(box, taken, height) for box in boxes]
        best = costs.index(min(costs))
        found[i] = _PLACES[best]
        placed.append(boxes[best])
    return [found[i] for i in range(len(names))]


def _boxes(name: str, point: tuple[float, float]) -> Iterator[Box]:
    wide = len(name) * _LETTER
    for label in _PLACES:
        share = {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor]
        left = point[0] + label.dx - share * wide
        bottom = point[1] + label.dy + 4
        yield left, bottom - _LINE, left + wide, bottom


def _cost(box: Box, taken: Sequence[Box], height: int) -> float:
    """Square pixels that it shares with others, and ten times those outside the field."""
    out = max(0.0, -box[0]) + max(0.0, box[2] - WIDTH)
    out += max(0.0, -box[1]) + max(0.0, box[3] - height)
    return 10 * out * _LINE + sum(_shared(box, other) for other in taken)


def _shared(a: Box, b: Box) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return wide * high if wide > 0 and high > 0 else 0.0
