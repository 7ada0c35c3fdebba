"""The adapter of a variant: trained once for all the same ingredients, or taken from a folder."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import fingerprints, sources
from harness.data.prompts import completion
from harness.engines.adapters import CARD, adapter_sha256, read_card
from harness.engines.server import ServerEngine
from harness.errors import PreflightError, SuiteError
from harness.pipeline.inputs import Inputs
from harness.pipeline.progress import Progress
from harness.pipeline.prompting import Prompter
from harness.sources.folders import locked
from harness.store import ledger
from harness.training.qlora import adapter_fingerprint, train
from harness.training.rows import Example
from harness.types import Engine, LoraRecipe, Sample, Variant


@dataclass(frozen=True)
class Ready:
    """An adapter that can be applied."""

    folder: Path | None
    """None: it is on a server, and nowhere here."""
    sha256: str | None
    card: dict[str, Any]
    """How it was made; empty for one that was trained elsewhere."""
    prompts_match: bool | None
    """Trained with the system prompts and templates of these tasks; None: not known for all."""
    served: str | None = None
    """What the server calls it."""
    told: str = ""
    """What the server tells of it."""

    @property
    def applied(self) -> tuple[str, str]:
        """Folder and hash, as a request names the adapter that it means; on a server the name, and
        a hash of all that is known of it."""
        if self.served is not None:
            return self.served, fingerprints.of([self.served, self.told, self.sha256])
        return str(self.folder), str(self.sha256)


def ready(
    variant: Variant,
    inputs: Sequence[Inputs],
    prompter: Prompter,
    engine: Engine,
    *,
    progress: Progress,
    spent: Path,
) -> Ready | None:
    """The variant's adapter, trained now if it never was; None where it has none.

    A training is entered into the ledger ``spent``, also one that fails or is interrupted.
    """
    adapter = variant.adapter
    if adapter is None:
        return None
    if adapter.served is not None and isinstance(engine, ServerEngine):
        return _served(adapter.served, variant, inputs, engine)
    if adapter.recipe is None:
        folder = sources.fetch(str(adapter.path))
        return _checked(folder, variant, inputs)
    recipe = adapter.recipe
    examples = training_examples(variant, recipe, inputs, prompter, engine)
    identity = dict(engine.identity)
    # The precision that an adapter is evaluated at is not what made it; the recipe's is. Nor is
    # the way in which answers are decoded.
    for key in ("precision", "engine", "deterministic"):
        identity.pop(key, None)
    # The card binds the adapter to these words, also to those that no training row shows.
    identity["prompts"] = fingerprints.of(_taught(variant, inputs))
    name = adapter_fingerprint(recipe, examples, identity=identity)
    folder = sources.cache_dir() / "adapters" / name / "adapter"
    if not (folder / CARD).is_file():
        with locked(folder.parent, progress.say):
            # Another process may have trained it while this one waited.
            if not (folder / CARD).is_file():
                with _spending(spent, variant, name):
                    _train(variant, recipe, examples, inputs, engine, identity, folder, progress)
    return _checked(folder, variant, inputs)


def prompts_sha256(variant: Variant, inputs: Sequence[Inputs]) -> dict[str, str]:
    """For each task a hash of what stands around its questions: system prompt and templates."""
    return {
        one.task.name: fingerprints.of(
            [
                one.task.system if variant.system is None else variant.system,
                one.task.prompt,
                one.task.passages,
            ]
        )
        for one in inputs
    }


def _taught(variant: Variant, inputs: Sequence[Inputs]) -> dict[str, str]:
    return prompts_sha256(variant, [one for one in inputs if one.data.train])


def _checked(folder: Path, variant: Variant, inputs: Sequence[Inputs]) -> Ready:
    """Raises PreflightError where the adapter was trained around other words than it will see."""
    card = read_card(folder)
    taught = card.get("prompts_sha256") or {}
    now = prompts_sha256(variant, inputs)
    other = [task for task, found in now.items() if taught.get(task, found) != found]
    if other:
        raise PreflightError(
            f"The adapter in {folder} was trained with another system prompt or prompt template "
            f"for task '{other[0]}' than variant '{variant.name}' uses now. Train it again, or "
            "restore the prompts."
        )
    known = all(task in taught for task in now)
    return Ready(folder, adapter_sha256(folder), card, True if known else None)


def _served(name: str, variant: Variant, inputs: Sequence[Inputs], engine: ServerEngine) -> Ready:
    """The adapter as the server has it, with what its folder here tells, where one is named.

    Raises PreflightError where that was trained with other prompts or another template. That the
    server runs these very weights cannot be known from here.
    """
    path = variant.adapter.path if variant.adapter else None
    told = engine.told_of(name)
    if path is None:
        return Ready(None, None, {}, None, name, told)
    found = _checked(sources.fetch(path), variant, inputs)
    ours, theirs = engine.identity.get("template_sha256"), found.card.get("template_sha256")
    if None not in (ours, theirs) and ours != theirs:
        raise PreflightError(
            f"The adapter in {found.folder} was trained with another chat template than the "
            f"tokenizer of variant '{variant.name}' has. Name the tokenizer of its base."
        )
    return replace(found, served=name, told=told)


@contextmanager
def _spending(spent: Path, variant: Variant, name: str) -> Iterator[None]:
    started, finished = time.perf_counter(), False
    try:
        yield
        finished = True
    finally:
        seconds = time.perf_counter() - started
        ledger.append(
            spent, "training", seconds, variant=variant.name, adapter=name, finished=finished
        )


def _train(
    variant: Variant,
    recipe: LoraRecipe,
    examples: Sequence[Example],
    inputs: Sequence[Inputs],
    engine: Engine,
    identity: dict[str, str],
    folder: Path,
    progress: Progress,
) -> None:
    base = engine.folder
    if base is None:
        raise SuiteError(
            f"Variant '{variant.name}' has an adapter to train, and its model is on a server. "
            "Train it on a local base, and name here what the server calls it."
        )
    progress.stage(f"training {variant.name} on {len(examples)} rows")
    last = 0

    def report(step: int, steps: int, loss: float | None) -> None:
        nonlocal last
        if last == 0:
            progress.stage(f"training {variant.name} on {len(examples)} rows", steps)
        progress.advance(step - last, f"loss {loss:.3f}" if loss is not None else "")
        last = step

    train(
        recipe,
        examples,
        base=base,
        identity=identity,
        out=folder,
        prompts_sha256=_taught(variant, inputs),
        device=engine.device,
        progress=report,
    )


def training_examples(
    variant: Variant,
    recipe: LoraRecipe,
    inputs: Sequence[Inputs],
    prompter: Prompter,
    engine: Engine,
) -> list[Example]:
    """Training rows of all tasks: prompts built and rendered by the code that evaluation uses."""
    examples = []
    for one in inputs:
        samples = _drawn(one, recipe)
        with_passages = _with_passages(one, recipe, samples)
        plain = replace(variant, shots=None, retriever=None)
        for group, seen in (
            ([s for s in samples if s.id not in with_passages], plain),
            (
                [s for s in samples if s.id in with_passages],
                replace(plain, retriever=recipe.retriever),
            ),
        ):
            talks = prompter.conversations(one, seen, group)
            rendered = engine.prompts([t.messages for t in talks])
            examples += [
                Example(f"{one.task.name}/{s.id}", prompt, completion(s))
                for s, prompt in zip(group, rendered, strict=True)
            ]
    return sorted(examples, key=lambda e: e.id)


def _drawn(inputs: Inputs, recipe: LoraRecipe) -> list[Sample]:
    samples = list(inputs.data.train)
    if recipe.max_train_samples is None or len(samples) <= recipe.max_train_samples:
        return samples
    rng = random.Random(f"train:{recipe.seed}:{inputs.task.name}")
    return rng.sample(samples, recipe.max_train_samples)


def _with_passages(inputs: Inputs, recipe: LoraRecipe, samples: Sequence[Sample]) -> set[str]:
    if recipe.retriever is None or not inputs.data.corpus:
        return set()
    rng = random.Random(f"passages:{recipe.seed}:{inputs.task.name}")
    chosen = rng.sample(samples, round(recipe.retriever_share * len(samples)))
    return {s.id for s in chosen}
