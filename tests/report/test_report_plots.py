"""Pictures agree with the numbers: scales, intervals against margins, roundings."""

from __future__ import annotations

import report_runs as runs
from hypothesis import given
from hypothesis import strategies as st

from harness.report.axis import axis
from harness.report.forest import rule_forests
from harness.report.training import trainings
from harness.report.words import clean, interval, number
from harness.types import Role, Status

finite = st.floats(-1e6, 1e6).map(lambda x: round(x, 4))


@given(st.lists(finite, min_size=1, max_size=8))
def test_a_scale_holds_its_values_in_order_with_few_round_ticks(values: list[float]) -> None:
    scale = axis(values)
    at = [scale.at(v) for v in sorted(values)]
    assert at == sorted(at)
    assert 0 <= at[0] <= at[-1] <= 100
    assert 2 <= len(scale.ticks) <= 7
    assert len({tick.label for tick in scale.ticks}) == len(scale.ticks)


@given(
    st.sampled_from(["superior", "non_inferior"]),
    st.floats(0.001, 0.2),
    st.floats(-0.5, 0.5),
    st.floats(0.001, 0.3),
)
def test_the_bar_lies_in_the_zone_exactly_when_the_rule_is_proved(
    role: Role, margin: float, mid: float, wide: float
) -> None:
    row = runs.rule_result(
        Status.SHIP, role=role, margin=margin, estimate=mid, ci_low=mid - wide, ci_high=mid + wide
    )
    bar = rule_forests([row], [], {"exact_match": True})[0].rows[0].bar
    assert bar.low is not None
    assert bar.high is not None
    assert bar.zone_from is not None
    line = margin if role == "superior" else -margin
    # The picture is rounded to a thousandth of a percent of its width.
    if abs(mid - wide - line) > 1e-4:
        assert (bar.low > bar.zone_from) == (mid - wide > line)
    if abs(mid + wide - line) > 1e-4:
        assert (bar.high < bar.zone_from) == (mid + wide < line)


def test_two_guardrails_on_one_value_each_get_their_own_limit() -> None:
    rows = [
        runs.rule_result(Status.SHIP, metric="length", role="guardrail", versus=None, margin=None)
        for _ in range(2)
    ]
    rules = [
        {"metric": "length", "role": "guardrail", "min": 0.05},
        {"metric": "length", "role": "guardrail", "max": 0.4},
    ]
    forest = rule_forests(rows, rules, {})[0]
    assert [r.demand for r in forest.rows] == ["must stay at least 0.05", "must stay at most 0.4"]
    lower, upper = (r.bar for r in forest.rows)
    assert lower.zone_from == lower.margins[0]
    assert (upper.zone_from, upper.zone_width) == (0.0, upper.margins[0])


def test_metrics_on_other_scales_do_not_share_a_picture() -> None:
    forests = rule_forests(runs.mixed_rules(), [], {"exact_match": True, "rouge_l": True})
    assert [len(f.rows) for f in forests] == [4, 1, 1]


def test_a_bound_is_never_rounded_onto_the_margin_it_misses() -> None:
    assert interval(0.01996, 0.3, limits=(0.02,)) == "0.01996 to 0.30000"
    assert interval(0.0196, 0.3, limits=(0.02,)) == "0.0196 to 0.3000"
    assert interval(0.02, 0.3, limits=(0.02,)) == "0.020 to 0.300"
    assert interval(None, None) == "no interval"


def test_numbers_keep_their_sign_and_never_round_to_nothing() -> None:
    assert number(-0.25, signed=True) == "−0.250"
    assert number(0.00004, signed=True) == "+4e-05"
    assert number(0.0, signed=True) == "0.000"
    assert number(1234567.8) == "1,234,568"
    assert number(None) == "–"


def test_emoji_survive_and_bidi_controls_do_not() -> None:
    family = "👨\u200d👩\u200d👧"
    assert clean(family) == family
    assert clean("a\u202eb") == "a⟨U+202E⟩b"
    assert clean(5) == 5


def test_a_loss_curve_falls_where_the_loss_falls() -> None:
    about = {"loss": [[0, 4.0], [10, 2.0], [20, None], [30, 1.0]], "rows": 8}
    curve = trainings({"training": {"f" * 64: about}})[0].curve
    assert curve is not None
    points = [tuple(map(float, p.split(","))) for p in curve.points.split()]
    assert [x for x, _ in points] == [0.0, 33.333, 100.0]
    assert points[0][1] < points[1][1] < points[2][1]
    assert trainings({"training": {"f" * 64: {"loss": [[0, 4.0]]}}})[0].curve is None
