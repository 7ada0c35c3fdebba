"""Run, verdict, comparisons and summaries -> the text of one HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.report.evidence import NOTHING, Evidence
from harness.report.words import clean, count, percent
from harness.types import Comparison, RuleSet, Summary, Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

    from harness.store.runs import Run

# Concatenated in this order into one script, so that one hash admits it.
SCRIPTS = ("data.js", "text.js", "view.js", "table.js", "drawer.js", "main.js")
STYLES = ("base.css", "charts.css", "samples.css")


def render(
    run: Run,
    verdict: Verdict,
    comparisons: Sequence[Comparison],
    summaries: Sequence[Summary],
    *,
    rules: RuleSet | None = None,
    evidence: Evidence = NOTHING,
) -> str:
    """One self-contained HTML page; the same arguments give the same bytes.

    ``rules``: those the verdict was reached by, where they are not the run's own. ``evidence``:
    what is shown besides; what it lacks is left out.
    """
    script = "(() => {\n'use strict';\n" + "".join(map(_static, SCRIPTS)) + "})();\n"
    style = "".join(map(_static, STYLES))
    context = _context(run, verdict, comparisons, summaries, rules, evidence)
    page = _environment().get_template("report.html.j2")
    return page.render(
        **context,
        script=script,
        style=style,
        script_hash=_csp_hash(script),
        style_hash=_csp_hash(style),
    )


def _context(
    run: Run,
    verdict: Verdict,
    comparisons: Sequence[Comparison],
    summaries: Sequence[Summary],
    given: RuleSet | None,
    evidence: Evidence,
) -> dict[str, Any]:
    from harness.report import (
        differences,
        effects,
        forest,
        headline,
        payback,
        provenance,
        samples,
        selfcheck,
        training,
        variants,
        ways,
    )

    manifest = run.manifest
    rules = forest.rule_rows(given, manifest)
    candidate = verdict.candidate or next((c.candidate for c in comparisons), None)
    own = [
        differences.oriented(c, lower=_said_lower(manifest, rules, c))
        for c in comparisons
        if c.candidate == candidate
    ]
    has_adapter = {v: (about or {}).get("has_adapter") for v, about in manifest["variants"].items()}
    definitions = {
        (task, metric): str((info or {}).get("definition") or "")
        for task, about in manifest["tasks"].items()
        for metric, info in ((about or {}).get("metrics") or {}).items()
    }
    met = evidence.met
    browser = samples.samples(run, rules, candidate, _rival(verdict, own, candidate))
    return {
        "version": __version__,
        "suite": str(manifest.get("suite") or "imported run"),
        "manifest": manifest,
        "head": headline.headline(
            verdict, _warnings(run, verdict), None if met is None else met.reason
        ),
        "ways": ways.ways(manifest, met, sequential=evidence.sequential),
        "candidate": candidate,
        "size": _size(manifest, browser.n),
        "rule_forests": []
        if met is not None
        else forest.rule_forests(verdict.rules, rules, _unit_metrics(manifest)),
        "target_forests": []
        if met is None
        else forest.rule_forests(
            met.rows, forest.target_rows(given, manifest), _unit_metrics(manifest), met.variant
        ),
        "met": met,
        "unmeasured": forest.demands(verdict.rules, rules) if met is not None else [],
        "checks": selfcheck.self_check_section(evidence.checked, rules),
        "unchecked": evidence.unchecked,
        "differences": differences.difference_forests(own, rules, has_adapter, definitions),
        "differing": _differing(manifest, own),
        "effect_tables": effects.effect_tables(evidence.effects),
        "metric_tables": variants.metric_tables(manifest, rules, summaries),
        "probed": {task: ways.probed(manifest, task) for task in manifest["tasks"]},
        "parts": variants.parts(manifest),
        "answers": variants.answers(run),
        "payback": payback.payback(manifest, evidence.break_even),
        "trainings": training.trainings(manifest),
        "samples": browser,
        "provenance": provenance.provenance(run),
        "batches": ways.batches_of(manifest),
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
    from harness.report.variants import lower_is_better, metric_info

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


def _warnings(run: Run, verdict: Verdict) -> tuple[str, ...]:
    changed = tuple(
        f"{name} changed after the run was written: what is shown is not what was measured."
        for name in run.tampered
        if not any(name in text for text in verdict.warnings)
    )
    return changed + tuple(map(str, run.manifest.get("warnings") or ()))


def _unit_metrics(manifest: Mapping[str, Any]) -> dict[str, bool]:
    """Metrics that run from 0 to 1 in every task that has them, so that they share a scale."""
    found: dict[str, bool] = {}
    for about in manifest["tasks"].values():
        for name, info in ((about or {}).get("metrics") or {}).items():
            low, high = (info or {}).get("low"), (info or {}).get("high")
            inside = low is not None and high is not None and low >= 0 and high <= 1
            found[name] = found.get(name, True) and inside
    return found


def _rival(verdict: Verdict, own: Sequence[Comparison], candidate: str | None) -> str | None:
    """The variant to hold the candidate against at first: its hardest rival.

    The recommended one; else, on the metric of the first rule, the one it beats by least.
    """
    if verdict.recommendation not in (None, candidate):
        return verdict.recommendation
    metric = next((r.metric for r in verdict.rules), None)
    rivals = [c for c in own if metric in (None, c.metric)] or list(own)
    known = [c for c in rivals if c.estimate is not None]
    if known:
        return min(known, key=lambda c: c.estimate or 0.0).versus
    return next((c.versus for c in rivals), None)


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["percent"] = percent
    env.tests["object"] = lambda value: isinstance(value, Mapping)
    return env


def _static(name: str) -> str:
    text = resources.files("harness.report").joinpath("static", name).read_text("utf-8")
    # A checkout with CRLF would change the hash that the browser computes after its own rewrite.
    return text.replace("\r\n", "\n")


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
