"""In deterministic mode nothing depends on what shares a batch: bit for bit, the real model."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra 'local' is not installed")

from harness import sources  # noqa: E402
from harness.engines.local import LocalEngine  # noqa: E402
from harness.types import Forced, Message, Precision, Request  # noqa: E402

pytestmark = pytest.mark.model

SYSTEM = "Answer in a few words, and name the place where it was found first, if there is one."
THINGS = ["gold", "tea", "the number zero", "penicillin", "Pluto"]


def engine_at(folder: Path, precision: Precision = "bf16", **options: int) -> LocalEngine:
    return LocalEngine(
        folder,
        precision,
        weights_sha256=sources.weights_sha256(folder),
        device="cpu",
        deterministic=True,
        **options,
    )


def talks() -> list[list[Message]]:
    return [
        [{"role": "system", "content": SYSTEM}, {"role": "user", "content": f"What is {thing}?"}]
        for thing in THINGS
    ]


def answers(engine: LocalEngine, some: slice = slice(None), **options: float) -> dict[str, tuple]:
    requests = [
        Request(str(i), prompt, max_new_tokens=8, **options)  # type: ignore[arg-type]
        for i, prompt in enumerate(engine.prompts(talks()))
    ]
    return {c.key: (c.text, c.tokens_out) for c in engine.complete(requests[some])}


def likelihoods(engine: LocalEngine, some: slice = slice(None)) -> dict[str, tuple]:
    requests = [
        Forced(str(i), prompt, f"It is {thing}, nothing else.")
        for i, (prompt, thing) in enumerate(zip(engine.prompts(talks()), THINGS, strict=True))
    ]
    found = engine.likelihoods(requests[some])
    return {one.key: (one.log_likelihood, one.end_log_likelihood) for one in found}


@pytest.mark.parametrize("precision", ["bf16", "nf4"])
def test_batches_threads_and_what_was_known_change_nothing(
    smollm2: Path, precision: Precision
) -> None:
    engine = engine_at(smollm2, precision)
    whole, sampled, likely = answers(engine), answers(engine, temperature=0.9), likelihoods(engine)
    assert len(set(whole.values())) == len(THINGS)
    assert next(engine._model.parameters()).dtype == torch.float32
    alone = engine_at(smollm2, precision, max_rows=1)
    before = torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 2)
    try:
        assert answers(alone) == whole
        assert likelihoods(alone) == likely
    finally:
        torch.set_num_threads(before)
    # As after an interruption: the rest comes in a batch of another shape.
    for some in (slice(3), slice(3, None)):
        assert answers(engine, some).items() <= whole.items()
        assert answers(engine, some, temperature=0.9).items() <= sampled.items()
        assert likelihoods(engine, some).items() <= likely.items()


def test_the_mode_is_part_of_what_the_engine_is(smollm2: Path) -> None:
    plain = LocalEngine(smollm2, "fp32", weights_sha256="0", device="cpu")
    exact = LocalEngine(smollm2, "fp32", weights_sha256="0", device="cpu", deterministic=True)
    assert plain.identity != exact.identity
