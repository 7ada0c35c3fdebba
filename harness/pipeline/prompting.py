"""From (task, variant, sample) to the conversation that is sent: shots, passages, question."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness import retrieval
from harness.data.prompts import messages
from harness.errors import SuiteError
from harness.pipeline.inputs import Inputs
from harness.pipeline.wiring import Encoders
from harness.types import Document, Message, Retriever, Sample, Shots, Variant


@dataclass(frozen=True)
class Conversation:
    """What one sample becomes, before the chat template."""

    messages: tuple[Message, ...]
    retrieved: tuple[retrieval.Hit, ...] = ()


class Prompter:
    """Builds conversations; keeps the indexes it has built for the run."""

    def __init__(self, seed: int, encoders: Encoders) -> None:
        self._seed = seed
        self._encoders = encoders
        self._indexes: dict[Any, Any] = {}

    def conversations(
        self, inputs: Inputs, variant: Variant, samples: Sequence[Sample]
    ) -> list[Conversation]:
        """One conversation per sample, in order."""
        hits = self._passages(inputs, variant.retriever, samples)
        shots = self._shots(inputs, variant.shots, samples)
        return [
            Conversation(
                messages(
                    inputs.task,
                    variant,
                    sample,
                    shots=solved,
                    documents=[Document(h.id, h.text) for h in found],
                ),
                tuple(found),
            )
            for sample, solved, found in zip(samples, shots, hits, strict=True)
        ]

    def index_sha256(self, inputs: Inputs, retriever: Retriever | None) -> str | None:
        """Fingerprint of the index that the retriever searches; None where it has no corpus."""
        if retriever is None or not inputs.data.corpus:
            return None
        return str(self._index(inputs, retriever).fingerprint)

    def _passages(
        self, inputs: Inputs, retriever: Retriever | None, samples: Sequence[Sample]
    ) -> list[list[retrieval.Hit]]:
        # A task without a corpus has nothing to retrieve: its prompt is that of no retriever.
        if retriever is None or not inputs.data.corpus:
            return [[] for _ in samples]
        index = self._index(inputs, retriever)
        found: list[list[retrieval.Hit]] = index.search([s.text for s in samples], retriever.k)
        return found

    def _index(self, inputs: Inputs, retriever: Retriever) -> Any:
        key = (inputs.task.name, retriever.kind, retriever.encoder)
        named = retriever.encoder
        encoder = None if named is None else self._encoders.of(named)
        return self._once(
            key, lambda: retrieval.index(retriever, inputs.data.corpus, encoder=encoder)
        )

    def _shots(
        self, inputs: Inputs, shots: Shots | None, samples: Sequence[Sample]
    ) -> list[list[Sample]]:
        if shots is None:
            return [[] for _ in samples]
        train = inputs.data.train
        if len(train) < shots.k:
            raise SuiteError(
                f"Task '{inputs.task.name}' has {len(train)} training samples, and a variant "
                f"wants {shots.k} shots. Shots come from the training data."
            )
        if shots.select == "fixed":
            rng = random.Random(f"shots:{self._seed}:{inputs.task.name}")
            fixed = rng.sample(list(train), shots.k)
            return [fixed for _ in samples]
        by_id = {s.id: s for s in train}
        documents = [Document(s.id, s.text) for s in train]
        index = self._once(
            (inputs.task.name, "shots"), lambda: retrieval.index(Retriever("bm25"), documents)
        )
        nearest = index.search([s.text for s in samples], shots.k)
        # The nearest comes last, next to the question.
        return [[by_id[h.id] for h in reversed(hits)] for hits in nearest]

    def _once(self, key: Any, build: Callable[[], Any]) -> Any:
        if key not in self._indexes:
            self._indexes[key] = build()
        return self._indexes[key]
