"""Run, verdict, comparisons and summaries -> the text of one HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING

from harness import __version__
from harness.report import context, samples
from harness.report.evidence import NOTHING, Evidence
from harness.report.material import Material
from harness.report.words import clean, percent
from harness.types import Comparison, RuleSet, Summary, Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

    from harness.store.runs import Run

# Concatenated in this order into one script, so that one hash admits it.
SCRIPTS = (
    *("vendor/vendor.js", "data.js", "text.js", "view.js", "words.js", "table.js"),
    *("drawer.js", "export.js", "baseline.js", "main.js"),
)
STYLES = ("base.css", "charts.css", "sections.css", "samples.css")
LICENSES = "vendor/LICENSES.txt"


def render(
    run: Run,
    verdict: Verdict,
    comparisons: Sequence[Comparison],
    summaries: Sequence[Summary],
    *,
    rules: RuleSet | None = None,
    evidence: Evidence = NOTHING,
    others: Sequence[tuple[str, Run]] = (),
) -> str:
    """One self-contained HTML page; the same arguments give the same bytes.

    ``comparisons``: of every pair of variants, or of the candidate alone. ``rules``: those the
    verdict was reached by, where they are not the run's own. ``evidence``: what is shown besides;
    what it lacks is left out. ``others``: runs to put this one beside, by name.
    """
    found = context.material(run, verdict, comparisons, summaries, rules, evidence, others)
    return render_material(found, rules, context.browser(found))


def render_material(
    found: Material, rules: RuleSet | None, browser: samples.Samples, rest: str = ""
) -> str:
    """The page of what is worked out already. ``browser``: the samples that the file holds;
    ``rest``: the name of the file that holds the others."""
    script = "(() => {\n'use strict';\n" + "".join(map(_static, SCRIPTS)) + "})();\n"
    style = "".join(map(_static, STYLES))
    page = environment().get_template("report.html.j2")
    return page.render(
        **context.context(found, rules, browser, rest),
        version=__version__,
        licenses=_static(LICENSES),
        script=script,
        style=style,
        script_hash=_csp_hash(script),
        style_hash=_csp_hash(style),
    )


def environment() -> Environment:
    """The templates, every printed value escaped and with its hidden characters made visible."""
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
    path = resources.files("harness.report").joinpath("static", *name.split("/"))
    # A checkout with CRLF would change the hash that the browser computes after its own rewrite.
    return path.read_text("utf-8").replace("\r\n", "\n")


def _csp_hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
