"""Everything that the page's templates print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.report import samples
from harness.report.beside import with_others
from harness.report.differences import oriented
from harness.report.evidence import Evidence
from harness.report.forest import rule_rows
from harness.report.material import Material
from harness.report.variants import lower_is_better, metric_info
from harness.report.words import count
from harness.types import Comparison, RuleSet, Summary, Verdict

if TYPE_CHECKING:
    from harness.store.runs import Run


def material(
    run: Run,
    verdict: Verdict,
    comparisons: Sequence[Comparison],
    summaries: Sequence[Summary],
    rules: RuleSet | None,
    evidence: Evidence,
    others: Sequence[tuple[str, Run]] = (),
) -> Material:
    rows = rule_rows(rules, run.manifest)
    return Material(
        run=run,
        verdict=verdict,
        candidate=verdict.candidate or next((c.candidate for c in comparisons), None),
        rules=rows,
        comparisons=[oriented(c, lower=_said_lower(run.manifest, rows, c)) for c in comparisons],
        summaries=summaries,
        evidence=evidence,
        alpha=rules.alpha if rules else next((c.alpha for c in comparisons), 0.05),
        others=others,
    )


def browser(found: Material, budget: int = samples.BUDGET) -> samples.Samples:
    """The samples of the run and of those beside it, packed."""
    run, _ = with_others(found.run, found.others)
    candidate = found.candidate
    rival = _rival(found)
    if candidate is not None and found.others:
        # Of two runs the first question is what this one broke.
        before = f"{candidate} ({found.others[0][0]})"
        rival = before if before in run.manifest["variants"] else rival
    metric = next((r.metric for r in found.verdict.rules), None)
    return samples.samples(run, found.rules, candidate, rival, metric=metric, budget=budget)


def context(
    found: Material, given: RuleSet | None, shown: samples.Samples, rest: str
) -> dict[str, Any]:
    """``given``: rules instead of the run's own. ``shown``: the samples in the file; ``rest``: the
    name of the one that holds the others."""
    from harness.report import baselines, provenance, variants, ways
    from harness.report.blocks import pack
    from harness.report.sections import sections

    manifest, evidence = found.manifest, found.evidence
    tables = variants.metric_tables(manifest, found.rules, found.summaries)
    listed = sections(found)
    chapters = ("verdict", "variants", "compare", "trust")
    return {
        "suite": str(manifest.get("suite") or "imported run"),
        "manifest": manifest,
        "candidate": found.candidate,
        "size": _size(manifest, shown.total),
        "ways": ways.ways(manifest, evidence.met, sequential=evidence.sequential),
        **_verdict(found, given),
        **_variants(found),
        "metric_tables": tables,
        "baseline_block": pack(baselines.baselines(tables, found.comparisons)),
        "choosable": len(found.variants) <= baselines.MOST_VARIANTS and bool(found.comparisons),
        "sections": {c: [s for s in listed if s.chapter == c] for c in chapters},
        "samples": shown,
        "rest": rest,
        "beside_notes": with_others(found.run, found.others)[1] if found.others else [],
        "provenance": provenance.provenance(found.run),
        "batches": ways.batches_of(manifest),
    }


def _verdict(found: Material, given: RuleSet | None) -> dict[str, Any]:
    from harness.report import forest, headline, selfcheck

    verdict, met = found.verdict, found.evidence.met
    unit = unit_metrics(found.manifest)
    needless = None if met is None else met.reason
    targets = forest.target_rows(given, found.manifest)
    return {
        "head": headline.headline(verdict, all_warnings(found.run, verdict), needless),
        "met": met,
        "rule_forests": forest.rule_forests(verdict.rules, found.rules, unit) if not met else [],
        "target_forests": forest.rule_forests(met.rows, targets, unit, met.variant) if met else [],
        "unmeasured": forest.demands(verdict.rules, found.rules) if met else [],
        "checks": selfcheck.self_check_section(found.evidence.checked, found.rules),
        "unchecked": found.evidence.unchecked,
    }


def _variants(found: Material) -> dict[str, Any]:
    from harness.report import differences, effects, payback, training, variants, ways

    manifest = found.manifest
    own = [c for c in found.comparisons if c.candidate == found.candidate]
    has_adapter = {v: (about or {}).get("has_adapter") for v, about in manifest["variants"].items()}
    definitions = {
        (task, metric): str((info or {}).get("definition") or "")
        for task, about in manifest["tasks"].items()
        for metric, info in ((about or {}).get("metrics") or {}).items()
    }
    return {
        "differences": differences.difference_forests(own, found.rules, has_adapter, definitions),
        "differing": _differing(manifest, own),
        "effect_tables": effects.effect_tables(found.evidence.effects),
        "probed": {task: ways.probed(manifest, task) for task in manifest["tasks"]},
        "parts": variants.parts(manifest),
        "answers": variants.answers(found.run),
        "payback": payback.payback(manifest, found.evidence.break_even),
        "trainings": training.trainings(manifest),
    }


def _size(manifest: Mapping[str, Any], n: int) -> str:
    return ", ".join(
        (
            count(n, "sample"),
            count(len(manifest["variants"]), "variant"),
            count(len(manifest["tasks"]), "task"),
        )
    )


def _said_lower(
    manifest: Mapping[str, Any], rules: Sequence[Mapping[str, Any]], c: Comparison
) -> bool:
    """Lower is better by the rules alone, which ``compare`` does not read."""
    known = metric_info(manifest, c.task, c.metric).get("higher_is_better") is not None
    return not known and lower_is_better(manifest, rules, c.task, c.metric)


def _differing(manifest: Mapping[str, Any], own: Sequence[Comparison]) -> dict[str, list[str]]:
    """Reference -> keys of the recipes that are not the candidate's; empty for imports."""
    from harness.gate import differences

    about = {name: value or {} for name, value in manifest["variants"].items()}
    if not any(value.get("recipe") for value in about.values()):
        return {}
    pairs = dict.fromkeys((c.candidate, c.versus) for c in own)
    return {versus: differences(about, candidate, versus) for candidate, versus in pairs}


def all_warnings(run: Run, verdict: Verdict) -> tuple[str, ...]:
    changed = tuple(
        f"{name} changed after the run was written: what is shown is not what was measured."
        for name in run.tampered
        if not any(name in text for text in verdict.warnings)
    )
    return changed + tuple(map(str, run.manifest.get("warnings") or ()))


def unit_metrics(manifest: Mapping[str, Any]) -> dict[str, bool]:
    """Metrics that run from 0 to 1 in every task that has them, so that they share a scale."""
    found: dict[str, bool] = {}
    for about in manifest["tasks"].values():
        for name, info in ((about or {}).get("metrics") or {}).items():
            low, high = (info or {}).get("low"), (info or {}).get("high")
            inside = low is not None and high is not None and low >= 0 and high <= 1
            found[name] = found.get(name, True) and inside
    return found


def _rival(found: Material) -> str | None:
    """The variant to hold the candidate against at first: its hardest rival.

    The recommended one; else, on the metric of the first rule, the one it beats by least.
    """
    verdict, candidate = found.verdict, found.candidate
    if verdict.recommendation not in (None, candidate):
        return verdict.recommendation
    own = [c for c in found.comparisons if c.candidate == candidate]
    metric = next((r.metric for r in verdict.rules), None)
    rivals = [c for c in own if metric in (None, c.metric)] or own
    known = [c for c in rivals if c.estimate is not None]
    if known:
        return min(known, key=lambda c: c.estimate or 0.0).versus
    return next((c.versus for c in rivals), None)
