"""Completions by transformers in this process.

The base is loaded once and serves every variant of its precision; adapters are switched on and
off. Nothing is loaded until a completion is really needed, so a fully cached run stays light.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness import models
from harness.engines import adapters, budget, forcing, generating, lanes
from harness.engines.batching import batches, in_order, prompt_length
from harness.engines.fronts import Front
from harness.engines.sampling import Sampler, seed_of
from harness.engines.threads import Threads
from harness.engines.worn import Worn
from harness.errors import PreflightError, UsageError
from harness.types import (
    Completion,
    Forced,
    Likelihood,
    Memo,
    Message,
    Precision,
    Prompt,
    Request,
)

if TYPE_CHECKING:
    from harness.engines.rows import Decoded

ENGINE = "transformers in process, 5"
"""Raise the number when a change here can change an answer."""

PROBE = "Name one thing that this adapter was trained to change."


T = TypeVar("T")
R = TypeVar("R")


class LocalEngine:
    """``types.Engine`` over a folder with safetensors, config and tokenizer.

    ``deterministic``: arithmetic in fp32, and answers that do not depend on which rows share a
    batch, on threads or on what was cached: a row whose two best tokens are close is decided by a
    pass of its own, sampled answers and likelihoods are made one at a time.
    """

    def __init__(
        self,
        folder: Path,
        precision: Precision,
        *,
        weights_sha256: str,
        device: str = "auto",
        deterministic: bool = False,
        max_rows: int | None = None,
        max_tokens: int | None = None,
        memo: Memo | None = None,
    ) -> None:
        self.folder = folder
        self.precision = precision
        self.deterministic = deterministic
        self.device = models.pick_device(device)
        self._front = Front(folder, memo)
        self._weights_sha256 = weights_sha256
        self._max_rows = max_rows or budget.ROWS[self.device.partition(":")[0]]
        self._said_tokens = max_tokens

    # ---- what it is

    @cached_property
    def identity(self) -> Mapping[str, str]:
        return {
            "engine": ENGINE,
            "weights_sha256": self._weights_sha256,
            "precision": self.precision,
            **({"deterministic": "fp32, batch-invariant"} if self.deterministic else {}),
            "template_sha256": self._front.template_sha256,
            "tokenizer_sha256": models.tokenizer_sha256(self.folder),
            "end_tokens": ",".join(map(str, sorted(self._end_tokens))),
            "device": models.device_name(self.device),
            **{f"version_{k}": v for k, v in models.versions().items() if k not in _NOT_RUN},
        }

    @property
    def tokenizer(self) -> Any:
        return self._front.tokenizer

    @property
    def context_length(self) -> int:
        return self._front.context_length

    def prompts(self, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
        return self._front.prompts(conversations)

    # ---- adapters

    def prove(self, adapter: str) -> Mapping[str, Any]:
        """Evidence that the adapter is applied: its hashes, and how far it moves the logits."""
        folder = Path(adapter)
        card = adapters.check_card(
            folder,
            weights=self._weights_sha256,
            template=self.identity["template_sha256"],
        )
        name = self._worn.name(adapter)
        on, off = self._worn.logits([name]), self._worn.logits([None])
        change = float((on - off).abs().max())
        if not change > 0:
            raise PreflightError(
                f"The adapter in {folder} changes nothing: the logits of a probe prompt are equal "
                "with and without it. It was not trained, or it does not belong to this base."
            )
        return {
            "adapter_sha256": self._worn.sha256(adapter),
            "base_sha256": self._weights_sha256,
            "template_sha256": self.identity["template_sha256"],
            "precision": self.precision,
            "tensors_equal_file": True,
            "max_logit_change": change,
            **card,
        }

    def close(self) -> None:
        """Let go of the model; the next completion would load it again."""
        import gc

        self.__dict__.pop("_worn", None)
        self.__dict__.pop("_max_tokens", None)
        gc.collect()

    # ---- completions

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        fitting = []
        for request in requests:
            error = self._too_long(request)
            if error:
                yield Completion(request.key, None, prompt_length(request), 0, 0.0, "error", error)
            else:
                fitting.append(request)
        if not fitting:
            return
        from harness.engines.decoding import supports

        # The model is loaded here, so that no answer's time holds the loading.
        if not supports(self._model):
            yield from self._generated(fitting)
            return
        drawn = [r for r in fitting if self.deterministic and r.temperature > 0]
        yield from self._decode([r for r in fitting if r not in drawn] if drawn else fitting)
        # Noise turns the smallest difference into another token: only alone is always the same.
        with self._one_thread():
            yield from self._decode(drawn, alone=True)

    def _generated(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """By transformers' own ``generate``, batch by batch."""
        rows = 1 if self.deterministic else self._max_rows
        for batch in batches(requests, max_rows=rows, max_tokens=lambda: self._max_tokens):
            yield from self._split_for_memory(batch, self._generate_batch, prompt_length)

    def _generate_batch(self, batch: list[Request]) -> list[Completion]:
        first = batch[0]
        with self._worn.wearing([self._worn.name(first.adapter, first.adapter_sha256)]):
            return generating.complete(
                self._worn.model,
                self.tokenizer,
                batch,
                ends=self._end_tokens,
                samplers=[_sampler(request) for request in batch],
            )

    def _decode(self, requests: Sequence[Request], alone: bool = False) -> Iterator[Completion]:
        """Adapter by adapter, longest prompts first; rows of the next join the last of the one
        before. ``alone``: one at a time, nothing shared."""
        left = dict(enumerate(in_order(requests)))
        while left:
            decoded = self._decoded(left, alone)
            try:
                for done in decoded:
                    yield self._answer(left.pop(done.index), done)
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                self._smaller(next(iter(left.values())), error)
            finally:
                self._threads.restore()

    def _decoded(self, left: Mapping[int, Request], alone: bool) -> Iterator[Decoded]:
        from harness.engines import decoding, rows

        prompts = [
            rows.Prompt(
                i,
                r.prompt.tokens or (),
                r.max_new_tokens,
                _sampler(r),
                self._worn.name(r.adapter, r.adapter_sha256),
            )
            for i, r in left.items()
        ]
        most = 1 if alone else self._max_rows
        longest = max(prompt_length(r) + r.max_new_tokens for r in left.values())
        side_by_side = 1 if alone else self._lanes(len(prompts), longest)
        tokens = self._max_tokens // side_by_side
        how = rows.How(
            ends=self._end_tokens,
            pad=self.tokenizer.pad_token_id,
            rows=lambda width: min(most, tokens // width),
            wearing=self._worn.wearing,
            mixes=self._worn.mixes,
            watch=self._threads.watch,
            lanes=side_by_side,
            begin=self._threads.lane(side_by_side),
            # A quarter of a batch's tokens: beginnings are held beside it.
            share=0 if alone else self._max_tokens // 4,
            exact=self._exact if self.deterministic and not alone else None,
        )
        found: Iterator[Decoded] = decoding.decode(self._worn.model, prompts, how)
        return found

    def _exact(self, tokens: Sequence[int], name: str | None) -> Any:
        """Logits (vocabulary,) after ``tokens``, by a pass that nothing else takes part in."""
        import torch

        ids = torch.tensor([tokens], device=self.device)
        with self._one_thread(), torch.inference_mode(), self._worn.wearing([name]) as told:
            found = self._worn.model(input_ids=ids, logits_to_keep=1, use_cache=False, **told)
        return found.logits[0, -1].float()

    # ---- likelihoods

    def likelihoods(self, requests: Sequence[Forced]) -> Iterator[Likelihood]:
        rows = []
        for request in requests:
            row = forcing.row(self.tokenizer, self._end_tokens, request, self.context_length)
            if isinstance(row, Likelihood):
                yield row
            else:
                rows.append(row)
        if not rows:
            return
        for one in rows:
            # All adapters are loaded before the first pass: passes go side by side.
            self._worn.name(one.request.adapter, one.request.adapter_sha256)
        rows.sort(key=lambda row: (row.request.adapter or "", -row.length, row.request.key))
        places = forcing.Places(self._model)
        try:
            # As in decoding: lanes with different adapters would wait for each other's passes.
            for _, group in itertools.groupby(rows, key=lambda row: row.request.adapter):
                yield from self._told(list(group), places)
                self._threads.restore()
        finally:
            places.close()
            self._threads.restore()

    def _told(self, rows: Sequence[forcing.Row], places: forcing.Places) -> Iterator[Likelihood]:
        """Likelihoods of rows with one adapter, the longest first."""
        number = self._lanes(len(rows), rows[0].length)
        dealt = lanes.dealt(rows, number, lambda row: row.length)
        streams = [self._forced(mine, number, places) for mine in dealt]
        if number == 1:
            yield from itertools.chain.from_iterable(streams[0])
        else:
            yield from lanes.merged(streams, self._threads.lane(number))

    def _forced(
        self, rows: Sequence[forcing.Row], number: int, places: forcing.Places
    ) -> Iterator[list[Likelihood]]:
        """Likelihoods batch by batch, of one lane of so many."""

        def measured(batch: Sequence[forcing.Row]) -> list[Likelihood]:
            first = batch[0].request
            name = self._worn.name(first.adapter, first.adapter_sha256)
            with self._one_thread(), self._worn.wearing([name]):
                pad = self.tokenizer.pad_token_id
                return forcing.measure(self._model, batch, pad, self.device, places)

        for batch in forcing.batches(
            rows,
            max_rows=1 if self.deterministic else self._max_rows,
            max_tokens=lambda: self._max_tokens // number,
            vocabulary=len(self.tokenizer),
        ):
            yield list(self._split_for_memory(batch, measured, lambda row: row.length))

    # ---- limits

    def _too_long(self, request: Request) -> str | None:
        needed = prompt_length(request) + request.max_new_tokens
        if needed <= self.context_length:
            return None
        return (
            f"prompt too long: {prompt_length(request)} tokens and {request.max_new_tokens} new "
            f"ones exceed the context of {self.context_length}"
        )

    def _split_for_memory(
        self, batch: list[T], work: Callable[[list[T]], list[R]], length: Callable[[T], int]
    ) -> Iterator[R]:
        """``work(batch)``, in halves where memory runs out. ``length``: of a row, in tokens."""
        try:
            done = work(batch)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            if len(batch) == 1:
                raise _too_small(length(batch[0])) from error
            done = None
        if done is not None:
            yield from done
            return
        self._free()
        self._max_tokens = max(1, self._max_tokens // 2)
        half = len(batch) // 2
        yield from self._split_for_memory(batch[:half], work, length)
        yield from self._split_for_memory(batch[half:], work, length)

    def _smaller(self, longest: Request, error: RuntimeError) -> None:
        """Half as many tokens at a time from now on. Raises UsageError where one row is too many:
        the smallest batch there is has failed."""
        width = prompt_length(longest) + longest.max_new_tokens
        if min(self._max_rows, self._max_tokens // width) <= 1:
            raise _too_small(prompt_length(longest)) from error
        self._free()
        self._max_tokens = min(self._max_tokens, self._max_rows * width) // 2

    def _free(self) -> None:
        import torch

        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _answer(self, request: Request, decoded: Decoded) -> Completion:
        return Completion(
            key=request.key,
            text=self.tokenizer.decode(decoded.tokens, skip_special_tokens=True),
            tokens_in=prompt_length(request),
            tokens_out=len(decoded.tokens) + decoded.ended,
            latency_s=decoded.seconds,
            finish_reason="stop" if decoded.ended else "length",
        )

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        """In deterministic mode: sums in an order that no number of threads changes."""
        import torch

        if not self.deterministic or torch.get_num_threads() == 1:
            yield
            return
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    @property
    def _end_tokens(self) -> frozenset[int]:
        return self._front.end_tokens

    @cached_property
    def _threads(self) -> Threads:
        import torch

        return Threads(self.device, torch.set_num_threads)

    @cached_property
    def _max_tokens(self) -> int:
        """Tokens of one batch; halved when memory runs out all the same."""
        if self._said_tokens is not None:
            return self._said_tokens
        model = self._worn.model
        config = model.config.get_text_config(decoder=True)
        free = budget.free_bytes(self.device)
        return budget.tokens(config, model.dtype.itemsize, free, self.device)

    def _lanes(self, rows: int, longest: int) -> int:
        """For so many rows, the longest of so many tokens."""
        return lanes.number(self.device, self._model, min(rows, self._max_tokens // longest))

    @property
    def _model(self) -> Any:
        return self._worn.model

    @cached_property
    def _worn(self) -> Worn:
        from transformers import GenerationConfig

        model = models.load_base(
            self.folder, self.precision, self.device, deterministic=self.deterministic
        )
        # A model's own settings (repetition penalty, forced tokens, …) would change answers
        # without a trace; what a request says is all there is.
        model.generation_config = GenerationConfig(
            pad_token_id=self.tokenizer.pad_token_id, eos_token_id=sorted(self._end_tokens)
        )
        # Not ``prompts``: whoever asks for answers may be storing some at this moment.
        probe = self._front.rendered([[{"role": "user", "content": PROBE}]])[0].tokens or ()
        if self.device == "cpu":
            from harness.engines import allocator, attention, packing

            allocator.keep_freed()
            packing.pack(model, budget.free_bytes("cpu") // 4)
            attention.install(model, probe)
        worn = Worn(model, probe)
        self._threads.settle(lambda: worn.logits([None] * 8))
        return worn


def _sampler(request: Request) -> Sampler | None:
    if request.temperature <= 0:
        return None
    return Sampler(seed_of(request.key, request.seed), request.temperature, request.top_p)


def _too_small(tokens: int) -> UsageError:
    return UsageError(
        f"Memory ran out on a single prompt of {tokens} tokens. Use a machine with more memory, a "
        "smaller model, or shorter prompts."
    )


def _out_of_memory(error: RuntimeError) -> bool:
    """CUDA has an exception of its own; CPU and MPS say it in words."""
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text


# Packages that train but do not take part in a completion.
_NOT_RUN = frozenset({"trl", "accelerate"})
