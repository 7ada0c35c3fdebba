"""Audits of a suite's data, which need no run, and the preflights that its run must show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import DataError, SuiteError
from harness.pytest_plugin.outcomes import Ruled
from harness.pytest_plugin.subjects import OPTIONS, Subject
from harness.types import Status, Suite, Task, Variant

if TYPE_CHECKING:
    from harness.pipeline.inputs import Inputs

Named = tuple[str, Callable[[], None]]
"""The name of a check, and the check."""
LISTED = 3
"""Samples that are named of those that are wrong."""


def audits(suite: Suite, subject: Subject) -> Iterator[Named]:
    """For each task: whether its data are sound, and whether the answers were given away."""
    for task in suite.tasks:
        inputs = _loader(suite, task, subject)
        for name, audit in (
            ("data are sound", _sound),
            ("no evaluation sample is a training sample", _apart),
            ("no evaluation sample is nearly a training sample (advisory)", _far_apart),
        ):
            yield f"{task.name}: {name}", partial(audit, inputs)


def _sound(load: Callable[[], Inputs]) -> None:
    """Loading says what is wrong with them."""
    load()


def _loader(suite: Suite, task: Task, subject: Subject) -> Callable[[], Inputs]:
    """The task's data, made once for its audits."""

    @cache
    def load() -> Inputs:
        from harness.pipeline.inputs import load as load_inputs

        seed = subject.config.stash[OPTIONS].seed
        try:
            return load_inputs(replace(suite, tasks=(task,)), (), seed=seed, limit=None)[0]
        except (DataError, SuiteError) as error:
            raise Ruled(Status.INVALID, f"INVALID: {error}") from error

    return load


def _apart(load: Callable[[], Inputs]) -> None:
    from harness.pipeline.checks import refuse_overlap

    inputs = load()
    try:
        refuse_overlap(inputs.task.name, inputs.data, "a variant may have learnt from them")
    except DataError as error:
        raise Ruled(Status.INVALID, f"INVALID: {error}") from error


def _far_apart(load: Callable[[], Inputs]) -> None:
    from harness.data import near_duplicates

    data = load().data
    texts = [sample.text for sample in (*data.train, *data.eval)]
    stands = near_duplicates(texts)
    learnt = set(stands[: len(data.train)])
    near = [s.id for s, i in zip(data.eval, stands[len(data.train) :], strict=True) if i in learnt]
    if near:
        named = ", ".join(f"'{name}'" for name in near[:LISTED])
        pytest.skip(
            f"advisory: {len(near)} of {len(data.eval)} evaluation samples nearly repeat a "
            f"training sample ({named}{', …' if len(near) > LISTED else ''})"
        )


def preflights(suite: Suite, subject: Subject) -> Iterator[Named]:
    """For each variant with an adapter: how it was trained, and whether it was applied."""
    for variant in suite.variants:
        if variant.adapter is None:
            continue
        if variant.adapter.recipe is not None:
            yield (
                f"{variant.name}: training kept its promises",
                partial(_trained, variant, subject),
            )
        yield (
            f"{variant.name}: the adapter changes what the base says",
            partial(_applied, variant, subject),
        )


def _trained(variant: Variant, subject: Subject) -> None:
    manifest = _measured(variant, subject)
    cards = (manifest.get("training") or {}).values()
    card = next((c for c in cards if variant.name in (c.get("variants") or ())), None)
    checks = (card or {}).get("preflights")
    if not checks:
        raise Ruled(
            Status.INVALID,
            f"INVALID: the run tells of no preflight of the training of '{variant.name}'.",
        )
    lost = checks.get("rows_in", 0) - checks.get("rows_trained", 0)
    wrong = []
    if not checks.get("end_token_in_labels"):
        wrong.append("the end token is not in all labels, so answers would not end")
    if lost:
        wrong.append(f"{lost} of {checks.get('rows_in')} training rows were lost")
    if not (checks.get("max_logit_change") or 0) > 0:
        wrong.append("training changed no logit")
    if wrong:
        told = "\n".join(f"  {line}" for line in wrong)
        raise Ruled(Status.INVALID, f"INVALID: the training of '{variant.name}':\n{told}")


def _applied(variant: Variant, subject: Subject) -> None:
    manifest = _measured(variant, subject)
    if not manifest["variants"][variant.name].get("proof"):
        raise Ruled(
            Status.INVALID,
            f"INVALID: nothing in the run shows that the adapter of '{variant.name}' was applied.",
        )


def _measured(variant: Variant, subject: Subject) -> dict[str, Any]:
    manifest = subject.run().manifest
    if manifest.get("kind") != "run":
        pytest.skip("not known: the run was imported")
    if variant.name not in manifest["variants"]:
        pytest.skip(f"'{variant.name}' was not measured in this run")
    return manifest


def no_rules() -> None:
    """A suite without a rule that decides must not be green."""
    raise Ruled(Status.INVALID, "INVALID: no gating rule. Give the suite rules that decide.")
