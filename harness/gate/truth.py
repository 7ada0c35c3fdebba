"""What a plan takes to be true of a rule: a pilot's own data, or rates that somebody states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.compare.aligned import MetricInfo, TaskData
from harness.errors import RulesError, UsageError
from harness.gate.places import places
from harness.gate.ruling import Question, metric_info, rule_on
from harness.gate.selfcheck import population_of
from harness.gate.validity import Place
from harness.stats.assumed import from_discordance, from_rate, from_sd
from harness.stats.power import Family, coarse, reweighted
from harness.stats.scale import Scale
from harness.stats.simulate import Population
from harness.types import Rule, RuleResult


@dataclass(frozen=True)
class Rates:
    """What a caller states; None: not said."""

    discordance: float | None = None
    """Share of the samples where exactly one side is right (binary metrics)."""
    sd: float | None = None
    """Standard deviation of the paired differences (other metrics)."""
    rate: float | None = None
    """The candidate's true value (guardrails)."""
    effect: float | None = None
    """True difference candidate - reference; positive is better."""


@dataclass(frozen=True)
class Truth:
    """Values to draw samples from, as the gate would bound their mean from below."""

    population: Population
    family: Family
    """The same at other means."""
    words: str
    unit: float = 1.0
    """Samples a cluster has on average."""
    clustered: bool = False
    bound: float | None = None
    """The pilot's unfavourable bound of the mean."""


class Unknown(Exception):
    """Says why nothing can be taken to be true of a row."""


def stated(rule: Rule, info: MetricInfo, rates: Rates, *, anytime: bool) -> Truth:
    """The truth as ``rates`` have it. Raises Unknown where only a pilot can tell, UsageError for
    rates that the metric cannot have; what is missing is for ``unsaid`` to find."""
    if info.derived:
        raise Unknown(f"{rule.metric} needs a pilot: --pilot RUN")
    if rule.pairing == "independent":
        raise Unknown(_INDEPENDENT)
    if rule.role == "guardrail":
        return _stated_value(rule, info, rates, anytime=anytime)
    scale, mean = info.scale, rates.effect or 0.0
    if scale.binary:
        share = rates.discordance or 0.0
        words = f"{share:.3g} discordant"
        held = replace(scale, binary=not anytime)

        # More than the stated share differs only where the effect asks for it.
        def family(at: float) -> Population | None:
            return from_discordance(max(share, abs(at / (scale.span or 1.0))), at, held)

        found = from_discordance(share, mean, held)
        wrong = f"--discordance {share:g} allows a true difference of at most {share:g} either way"
    else:
        spread = rates.sd or 0.0
        words = f"sd {spread:.3g}"

        def family(at: float) -> Population | None:
            return from_sd(at, spread, scale)

        found = family(mean)
        wrong = (
            f"differences of {rule.metric} lie between -{scale.span} and {scale.span}, so that "
            f"--sd {spread:g} is too large for this difference"
        )
    if found is None:
        raise UsageError(f"A true difference of {mean:g} is impossible: {wrong}. State other ones.")
    return Truth(found, family, words)


def _stated_value(rule: Rule, info: MetricInfo, rates: Rates, *, anytime: bool) -> Truth:
    scale = replace(info.scale, binary=info.scale.binary and not anytime)
    rate = rates.rate or 0.0
    if scale.span is None:
        raise Unknown(f"{rule.metric} has no known range, so it needs a pilot: --pilot RUN")
    if from_rate(rate, scale) is None:
        raise UsageError(
            f"--rate {rate:g} is no value of {rule.metric}, which lies between {scale.low:g} and "
            f"{scale.high:g}."
        )
    upper = rule.max is not None

    def family(mean: float) -> Population | None:
        found = from_rate(-mean if upper else mean, scale)
        return _negated(found) if upper and found is not None else found

    found = family(-rate if upper else rate)
    assert found is not None
    return Truth(found, family, "" if info.scale.binary else "at the widest spread")


def _negated(population: Population) -> Population:
    return replace(population, values=-population.values, scale=population.scale.flipped())


def unsaid(rule: Rule, info: MetricInfo, rates: Rates) -> list[str]:
    """The options that ``rule`` cannot be planned without."""
    if info.derived or rule.pairing == "independent":
        return []
    if rule.role == "guardrail":
        missing = rates.rate is None and info.scale.span is not None
        return ["--rate (the candidate's true value)"] if missing else []
    found = []
    if info.scale.binary and rates.discordance is None:
        found.append("--discordance (the share of samples where exactly one side is right)")
    if not info.scale.binary and rates.sd is None:
        found.append("--sd (the standard deviation of the paired differences)")
    if rule.role == "superior" and rates.effect is None:
        found.append("--effect (the true difference; with none there is nothing to see)")
    return found


@dataclass(frozen=True)
class Piloted:
    """What a pilot tells of one row."""

    row: RuleResult
    question: Question


def ask_pilot(
    pilot: Mapping[str, TaskData],
    rule: Rule,
    candidate: str,
    place: Place,
    alpha: float,
    tasks: int,
    *,
    anytime: bool,
) -> Piloted:
    """``rule`` at ``place`` of the suite, held in the pilot. Raises Unknown with the reason where
    it cannot be, RulesError where the pilot's values are none of the metric.

    ``tasks``: how many the suite has; where pilot and suite have one each, that is the same one.
    """
    data = _task_of(pilot, place.task, tasks)
    for name in (candidate, place.versus):
        if name is not None and name not in data.variants:
            raise Unknown(f"the pilot has no variant '{name}'")
    if rule.metric not in data.values:
        hint = ": run it with --probe N" if "latency" in rule.metric else ""
        raise Unknown(f"the pilot has no {rule.metric}{hint}")
    # What the metric means is for the suite to say; a file of scores only shows values.
    data = replace(data, infos={**data.infos, rule.metric: place.task.infos[rule.metric]})
    _check_range(data, rule, (candidate, place.versus))
    # A pilot may be small: it only has to tell what values look like.
    modest = replace(rule, min_samples=2)
    for held in places(data, rule, candidate, place.versus):
        if held.slice == place.slice:
            ruling = rule_on(modest, candidate, held, alpha, sequential=anytime)
            if ruling.question is None:
                raise Unknown(f"the pilot does not decide it: {ruling.row.reason}")
            if ruling.question.evidence.kind == "independent":
                raise Unknown(_INDEPENDENT)
            return Piloted(ruling.row, ruling.question)
    raise Unknown(f"the pilot has no samples with {place.slice or 'this task'}")


def from_pilot(piloted: Piloted, rule: Rule, rates: Rates) -> Truth:
    """The pilot's own values, at its estimate or at the effect or rate that is stated."""
    evidence, upper = piloted.question.evidence, piloted.question.upper
    population, units = population_of(evidence, upper=upper)
    count = units if population.codes is None else len(population.codes)
    threshold = -piloted.question.threshold if upper else piloted.question.threshold
    drawn = coarse(population, often=evidence.anytime)
    family = reweighted(drawn, threshold, units)
    clustered = evidence.clusters is not None or evidence.owners is not None
    wanted = rates.rate if rule.role == "guardrail" else rates.effect
    if wanted is None:
        bound = piloted.row.ci_high if upper else piloted.row.ci_low
        return Truth(
            drawn,
            family,
            "pilot",
            count / units,
            clustered,
            None if bound is None else (-bound if upper else bound),
        )
    ends = [end for end in population.ends if end is not None]
    mean = -wanted if upper else wanted
    if ends and not min(ends) <= mean <= max(ends):
        option = "rate" if rule.role == "guardrail" else "effect"
        raise UsageError(f"--{option} {wanted:g} is more or less than {rule.metric} can be.")
    moved = family(mean)
    if moved is None:
        raise Unknown(f"the pilot's values cannot be reweighted to a mean of {wanted:g}")
    return Truth(moved, family, "pilot, reweighted", count / units, clustered)


def _task_of(pilot: Mapping[str, TaskData], task: TaskData, tasks: int) -> TaskData:
    if task.name in pilot:
        return pilot[task.name]
    if tasks == len(pilot) == 1:
        return next(iter(pilot.values()))
    raise Unknown(f"the pilot has no task '{task.name}'")


def _check_range(data: TaskData, rule: Rule, sides: tuple[str | None, ...]) -> None:
    scale: Scale = metric_info(rule, data).scale
    rows = [data.row(name) for name in sides if name is not None]
    values = data.values[rule.metric][rows]
    known = values[~np.isnan(values)]
    slack = 1e-9
    outside = (known < (-np.inf if scale.low is None else scale.low - slack)) | (
        known > (np.inf if scale.high is None else scale.high + slack)
    )
    if outside.any():
        raise RulesError(
            f"The pilot has {rule.metric} of {known[outside][0]:g}, which this suite's metric "
            f"cannot be (from {scale.low} to {scale.high}). Give scores of the same definition."
        )


_INDEPENDENT = (
    "two independent samples are not planned: `harness gate --self-check` on a pilot shows the "
    "power at its size"
)
