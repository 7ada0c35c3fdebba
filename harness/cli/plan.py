"""``harness plan``: what a suite's rules can prove at its size, before anything is measured."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("suite", type=click.Path(path_type=Path))
@click.option(
    "--pilot",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="A stored run of the suite, or imported scores, whose values are taken to be typical.",
)
@click.option(
    "--rules",
    type=click.Path(path_type=Path),
    metavar="RULES.toml",
    help="Instead of the suite's own.",
)
@click.option(
    "--discordance",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Share of the samples where exactly one side is right (binary metrics).",
)
@click.option(
    "--sd",
    type=click.FloatRange(0, min_open=True),
    metavar="S",
    help="Standard deviation of the paired differences (other metrics).",
)
@click.option("--rate", type=float, metavar="R", help="The candidate's true value (guardrails).")
@click.option(
    "--effect",
    type=float,
    metavar="D",
    help="True difference candidate - reference, positive being better.  [default: the pilot's "
    "estimate; without a pilot 0 for non_inferior]",
)
@click.option(
    "--samples",
    type=click.IntRange(min=2),
    metavar="N",
    help="Eval samples of each task.  [default: as many as the suite has]",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of splits and draws.")
@click.option("--sequential", is_flag=True, help="For `run --sequential`: a look after each batch.")
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    is_flag=False,
    flag_value="-",
    help="Write the plan as JSON; '-' or no FILE: to standard output, and nothing else.",
)
def command(
    suite: Path,
    pilot: Path | None,
    rules: Path | None,
    discordance: float | None,
    sd: float | None,
    rate: float | None,
    effect: float | None,
    samples: int | None,
    seed: int,
    sequential: bool,
    json_file: str | None,
) -> int:
    """Power of each rule of SUITE, the smallest effect it can see, and the samples it needs.

    From a pilot (--pilot), or from stated rates. No model is loaded and nothing is measured.
    """
    from harness import scorers
    from harness.cli._files import write_json
    from harness.cli._plan import Made, print_plan, to_dict
    from harness.compare import COLUMNS
    from harness.errors import RulesError
    from harness.gate.plan import plan
    from harness.gate.planned import Options
    from harness.gate.truth import Rates
    from harness.pipeline import Settings
    from harness.pipeline.inputs import load, repeats
    from harness.pipeline.unmeasured import unmeasured
    from harness.rules import load_rules
    from harness.store.runs import read_run
    from harness.suites import load_suite

    loaded = load_suite(suite, check_scorer=scorers.resolve)
    held = loaded.rules if rules is None else load_rules(rules)
    if held is None or not held.rules:
        raise RulesError(f"Suite '{loaded.name}' has no rules to plan for. Give a file: --rules.")
    measured = None if pilot is None else read_run(pilot, columns=COLUMNS)
    inputs = load(loaded, loaded.variants, seed=seed, limit=None)
    to_be = unmeasured(loaded, inputs, held, repeats(loaded.variants))
    options = Options(samples, Settings.batch if sequential else None, seed=seed)
    rates = Rates(discordance, sd, rate, effect)
    rows = plan(to_be, held, rates, measured, options)
    made = Made(loaded.name, held.candidate, rows, rates, options, measured)
    if json_file is not None:
        write_json(to_dict(made), json_file)
    if json_file != "-":
        print_plan(made)
    return 0
