"""Answers: from the cache where they are known, from the engine otherwise, stored as they come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness import fingerprints
from harness.pipeline.inputs import Inputs
from harness.pipeline.progress import Progress
from harness.pipeline.prompting import Conversation
from harness.pipeline.storing import Storing
from harness.store.cache import Cache
from harness.types import Completion, Engine, Prompt, Request, Sample, Variant


@dataclass(frozen=True)
class Planned:
    """One answer of the run: which sample of which variant, and the request that gives it."""

    inputs: Inputs
    variant: Variant
    sample: Sample
    repeat: int
    conversation: Conversation
    request: Request
    of: Sample | None = None
    """The sample whose follow-up this is; ``sample`` is then that turn as a row of its own."""

    @property
    def whole(self) -> Sample:
        """The sample with all its turns."""
        return self.of or self.sample


def plan(
    inputs: Inputs,
    variant: Variant,
    samples: Sequence[Sample],
    conversations: Sequence[Conversation],
    *,
    engine: Engine,
    adapter: tuple[str, str] | None,
    repeats: int,
) -> list[Planned]:
    """The requests of one variant on these samples of one task.

    ``adapter``: folder and hash. With greedy decoding all repeats of a sample share one request.
    """
    prompts = engine.prompts([c.messages for c in conversations])
    planned = []
    for sample, conversation, prompt in zip(samples, conversations, prompts, strict=True):
        for repeat in range(repeats):
            request = _request(inputs, variant, prompt, engine, adapter, repeat)
            planned.append(Planned(inputs, variant, sample, repeat, conversation, request))
    return planned


def follow(
    planned: Planned,
    sample: Sample,
    conversation: Conversation,
    prompt: Prompt,
    engine: Engine,
) -> Planned:
    """The answer after ``planned`` in the same conversation, by the same variant."""
    before = planned.request
    adapter = None
    if before.adapter is not None:
        adapter = (before.adapter, str(before.adapter_sha256))
    request = _request(planned.inputs, planned.variant, prompt, engine, adapter, planned.repeat)
    return replace(
        planned, sample=sample, conversation=conversation, request=request, of=planned.whole
    )


def _request(
    inputs: Inputs,
    variant: Variant,
    prompt: Prompt,
    engine: Engine,
    adapter: tuple[str, str] | None,
    repeat: int,
) -> Request:
    folder, sha256 = adapter or (None, None)
    drawn = variant.generation
    sampled = drawn.temperature > 0
    request = Request(
        key="",
        prompt=prompt,
        adapter=folder,
        adapter_sha256=sha256,
        max_new_tokens=inputs.task.max_new_tokens,
        temperature=drawn.temperature,
        top_p=drawn.top_p if sampled else 1.0,
        seed=drawn.seed if sampled else 0,
    )
    # Everything that can change the answer. A part missing here would hand one variant's
    # answers to another, so the whole request goes in, with the adapter by content.
    identity = {
        "engine": engine.identity,
        "adapter_sha256": sha256,
        "prompt": prompt.tokens if prompt.tokens is not None else prompt.messages,
        "max_new_tokens": request.max_new_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "repeat": repeat if sampled else 0,
    }
    return replace(request, key=fingerprints.of(identity))


def collect(
    planned: Sequence[Planned],
    engine: Engine,
    cache: Cache,
    progress: Progress,
    title: str = "",
) -> dict[str, Completion]:
    """A completion for every request key. New ones are stored while the engine makes the next:
    see ``Storing``.

    ``title``: what the progress says before the name of the stage.
    """
    requests = {p.request.key: p.request for p in planned}
    known = {
        key: Completion(key=key, **value)
        for key, value in cache.get_many("responses", requests).items()
    }
    missing = [r for key, r in requests.items() if key not in known]
    name = f"{title}{engine.identity['precision']} answers"
    if not missing:
        progress.say(f"{name}: all {len(known)} known from earlier runs")
        return known
    progress.stage(f"{name} ({len(known)} known)", len(missing))
    with Storing(cache) as storing:
        for completion in engine.complete(missing):
            if completion.error is None:
                storing.add(completion.key, _stored(completion))
            known[completion.key] = completion
            progress.advance()
    known.update((key, Completion(key=key, **value)) for key, value in storing.there.items())
    lost = requests.keys() - known.keys()
    if lost:
        raise RuntimeError(f"the engine gave no completion for {len(lost)} requests")
    return known


def _stored(completion: Completion) -> Mapping[str, Any]:
    value: dict[str, Any] = fingerprints.plain(completion)
    del value["key"]
    return value


def prove(engine: Engine, adapter: str, sha256: str, cache: Cache) -> dict[str, Any]:
    """The engine's evidence that the adapter is applied; kept, as it belongs to the weights.

    What a server gave yesterday is no evidence of what it gives now, so it is asked each time.
    """
    if engine.device == "server":
        return dict(engine.prove(adapter))
    key = fingerprints.of({"proof": 1, "engine": engine.identity, "adapter_sha256": sha256})
    known = cache.get_many("evidence", [key])
    if key not in known:
        known[key] = dict(engine.prove(adapter))
        cache.put("evidence", key, known[key])
    return known[key]
