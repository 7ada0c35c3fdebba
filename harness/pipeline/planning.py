"""Every answer that a run will ask for, after the adapters are there and proved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.engines.adapters import WEIGHTS
from harness.pipeline import adapters, responses
from harness.pipeline.inputs import Inputs
from harness.pipeline.record import Measured
from harness.pipeline.session import Session, Work
from harness.sources.hashes import file_sha256
from harness.types import Variant


@dataclass(frozen=True)
class Plan:
    """The variants as they will be measured, and their requests, variant by variant."""

    measured: tuple[Measured, ...]
    planned: tuple[responses.Planned, ...]


def plan(work: Work, variants: Sequence[Variant]) -> Plan:
    """Train or load the adapters, prove them, and build the prompts of all samples."""
    measured, planned = [], []
    for variant in variants:
        one, asked = _planned(work, variant)
        measured.append(one)
        planned += asked
    return Plan(tuple(measured), tuple(planned))


def adapter_of(
    session: Session, variant: Variant, inputs: Sequence[Inputs]
) -> adapters.Ready | None:
    """The variant's adapter, trained now if it never was; None where it has none."""
    engine = session.engine(variant)
    with session.timed("training"):
        return adapters.ready(
            variant,
            inputs,
            session.prompter,
            engine,
            progress=session.progress,
            spent=session.spent,
        )


def _planned(work: Work, variant: Variant) -> tuple[Measured, list[responses.Planned]]:
    session = work.session
    engine, adapter = session.engine(variant), adapter_of(session, variant, work.inputs)
    proof: dict[str, Any] | None = None
    if adapter is not None:
        with session.timed("proof"):
            proof = responses.prove(engine, *adapter.applied, work.cache)
        proof["prompts_match"] = adapter.prompts_match
    asked = []
    with session.timed("prompts"):
        for one in work.inputs:
            samples = one.data.eval
            talks = session.prompter.conversations(one, variant, samples)
            asked += responses.plan(
                one,
                variant,
                samples,
                talks,
                engine=engine,
                adapter=adapter.applied if adapter else None,
                repeats=work.repeats,
            )
    prints = {
        **engine.identity,
        "adapter_sha256": adapter.sha256 if adapter else None,
        # Of the one file, so that anybody can check it with sha256sum.
        "adapter_file_sha256": _file_sha256(adapter),
        "index_sha256": {
            one.task.name: session.prompter.index_sha256(one, variant.retriever)
            for one in work.inputs
        },
    }
    if adapter is not None and adapter.served is not None:
        prints |= {"adapter_served": adapter.served, "adapter_told": adapter.told}
    return Measured(variant, prints, adapter, proof), asked


def _file_sha256(adapter: adapters.Ready | None) -> str | None:
    if adapter is None or adapter.folder is None:
        return None
    return file_sha256(adapter.folder / WEIGHTS)
