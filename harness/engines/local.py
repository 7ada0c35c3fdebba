"""Completions by transformers in this process.

The base is loaded once and serves every variant of its precision; adapters are switched on and
off. Nothing is loaded until a completion is really needed, so a fully cached run stays light.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness import models
from harness.engines import adapters, forcing
from harness.engines.batching import batches, grouped, prompt_length
from harness.engines.sampling import RowwiseSampler, Sampler, seed_of
from harness.errors import PreflightError, UsageError
from harness.types import Completion, Forced, Likelihood, Message, Precision, Prompt, Request

if TYPE_CHECKING:
    from harness.engines.decoding import Decoded

# Rows and padded tokens of one batch. Large batches are the first lever on speed; these fit a
# small model in 6 GB on CPU, and a batch that does not fit is split when memory runs out.
BATCH = {"cpu": (64, 24_576), "mps": (64, 24_576), "cuda": (256, 262_144)}

ENGINE = "transformers in process, 2"
"""Raise the number when a change here can change an answer."""

BASE_TOLERANCE = 1e-3
"""Relative; the bare base is bit-equal on CPU, and GPUs may choose another kernel."""

PROBE = "Name one thing that this adapter was trained to change."


T = TypeVar("T")
R = TypeVar("R")


class LocalEngine:
    """``types.Engine`` over a folder with safetensors, config and tokenizer."""

    def __init__(
        self,
        folder: Path,
        precision: Precision,
        *,
        weights_sha256: str,
        device: str = "auto",
        max_rows: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self.folder = folder
        self.precision = precision
        self.device = models.pick_device(device)
        self.tokenizer = models.load_tokenizer(folder)
        self._weights_sha256 = weights_sha256
        rows, tokens = BATCH[self.device.partition(":")[0]]
        self._max_rows, self._max_tokens = max_rows or rows, max_tokens or tokens
        self._attached: dict[str, tuple[str, str]] = {}
        """Folder to (name in PEFT, hash) of the adapters that are on the model."""

    # ---- what it is

    @cached_property
    def identity(self) -> Mapping[str, str]:
        return {
            "engine": ENGINE,
            "weights_sha256": self._weights_sha256,
            "precision": self.precision,
            "template_sha256": models.template_sha256(self.tokenizer),
            "tokenizer_sha256": models.tokenizer_sha256(self.folder),
            "end_tokens": ",".join(map(str, sorted(self._end_tokens))),
            "device": models.device_name(self.device),
            **{f"version_{k}": v for k, v in models.versions().items() if k not in _NOT_RUN},
        }

    @cached_property
    def context_length(self) -> int:
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(str(self.folder), trust_remote_code=False)
        return int(getattr(config.get_text_config(), "max_position_embeddings", 1 << 30))

    def prompts(self, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
        texts = [models.render(self.tokenizer, c) for c in conversations]
        ids = models.encode(self.tokenizer, texts)
        return [
            Prompt(tuple(c), text, tuple(tokens))
            for c, text, tokens in zip(conversations, texts, ids, strict=True)
        ]

    # ---- adapters

    def prove(self, adapter: str) -> Mapping[str, Any]:
        """Evidence that the adapter is applied: its hashes, and how far it moves the logits."""
        folder = Path(adapter)
        card = adapters.check_card(
            folder,
            weights=self._weights_sha256,
            template=self.identity["template_sha256"],
        )
        on, off = self._probe_logits(adapter), self._probe_logits(None)
        change = float((on - off).abs().max())
        if not change > 0:
            raise PreflightError(
                f"The adapter in {folder} changes nothing: the logits of a probe prompt are equal "
                "with and without it. It was not trained, or it does not belong to this base."
            )
        return {
            "adapter_sha256": self._attached[adapter][1],
            "base_sha256": self._weights_sha256,
            "template_sha256": self.identity["template_sha256"],
            "precision": self.precision,
            "tensors_equal_file": True,
            "max_logit_change": change,
            **card,
        }

    def _applied(
        self, adapter: str | None, sha256: str | None = None
    ) -> AbstractContextManager[Any]:
        """Context in which the model runs with this adapter (of that hash), or bare."""
        if adapter is None:
            bare: AbstractContextManager[Any] = (
                self._model.disable_adapter() if self._attached else nullcontext()
            )
            return bare
        if adapter not in self._attached:
            self._attach(adapter)
        name, attached = self._attached[adapter]
        if sha256 not in (None, attached):
            raise PreflightError(
                f"The adapter in {adapter} changed while the run was under way. Run again, and "
                "leave the folder alone meanwhile."
            )
        self._model.set_adapter(name)
        return nullcontext()

    def _attach(self, adapter: str) -> None:
        folder = Path(adapter)
        before = adapters.adapter_sha256(folder)
        bare = self._probe_logits(None)
        name = f"adapter_{len(self._attached)}"
        # Replaces the cached property: the first adapter wraps the base.
        self.__dict__["_model"] = adapters.attach(self._model, folder, name)
        self._attached[adapter] = (name, before)
        if adapters.adapter_sha256(folder) != before:
            raise PreflightError(f"The adapter in {folder} changed while it was loaded. Run again.")
        moved = float((bare - self._probe_logits(None)).abs().max())
        if not moved <= BASE_TOLERANCE * float(bare.abs().max()):
            raise PreflightError(
                f"Loading the adapter in {folder} changed the base itself, so the variants without "
                "an adapter would not be the base any more. Adapters with a trained bias or an "
                "initialisation that rewrites the base (PiSSA, OLoRA) must be converted to plain "
                "LoRA first."
            )

    def _probe_logits(self, adapter: str | None) -> Any:
        """Logits (1, 1, vocabulary) of the token after a fixed prompt."""
        import torch

        prompt = self.prompts([[{"role": "user", "content": PROBE}]])[0]
        ids = torch.tensor([prompt.tokens], device=self.device)
        with self._applied(adapter), torch.inference_mode():
            return self._model(input_ids=ids, logits_to_keep=1).logits.float()

    def close(self) -> None:
        """Let go of the model; the next completion would load it again."""
        import gc

        self.__dict__.pop("_model", None)
        self._attached.clear()
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
        if supports(self._model):
            for group in grouped(fitting):
                yield from self._decode(group)
            return
        for batch in batches(fitting, max_rows=self._max_rows, max_tokens=lambda: self._max_tokens):
            yield from self._split_for_memory(batch, self._complete_batch, prompt_length)

    def _decode(self, group: Sequence[Request]) -> Iterator[Completion]:
        """Requests of one adapter and one decoding setting, longest prompts first."""
        left = dict(enumerate(group))
        while left:
            decoded = self._decoded(left)
            try:
                while True:
                    # Whoever takes an answer may have another adapter put on.
                    with self._applied(group[0].adapter, group[0].adapter_sha256):
                        done = next(decoded, None)
                    if done is None:
                        break
                    yield self._answer(left.pop(done.index), done)
            except RuntimeError as error:
                if not _out_of_memory(error):
                    raise
                self._smaller(next(iter(left.values())), error)

    def _decoded(self, left: Mapping[int, Request]) -> Iterator[Decoded]:
        from harness.engines import decoding

        first = next(iter(left.values()))
        found: Iterator[Decoded] = decoding.decode(
            self._model,
            [decoding.Prompt(i, r.prompt.tokens or (), _sampler(r)) for i, r in left.items()],
            max_new_tokens=first.max_new_tokens,
            ends=self._end_tokens,
            pad=self.tokenizer.pad_token_id,
            rows=lambda width: min(self._max_rows, self._max_tokens // width),
        )
        return found

    def likelihoods(self, requests: Sequence[Forced]) -> Iterator[Likelihood]:
        rows = []
        for request in requests:
            row = forcing.row(self.tokenizer, self._end_tokens, request, self.context_length)
            if isinstance(row, Likelihood):
                yield row
            else:
                rows.append(row)
        for batch in forcing.batches(
            rows,
            max_rows=self._max_rows,
            max_tokens=lambda: self._max_tokens,
            vocabulary=len(self.tokenizer),
        ):
            yield from self._split_for_memory(batch, self._force_batch, lambda row: row.length)

    def _force_batch(self, batch: Sequence[forcing.Row]) -> list[Likelihood]:
        first = batch[0].request
        with self._applied(first.adapter, first.adapter_sha256):
            return forcing.measure(self._model, batch, self.tokenizer.pad_token_id, self.device)

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

    def _complete_batch(self, batch: list[Request]) -> list[Completion]:
        import torch

        first = batch[0]
        ids, mask = self._padded(batch)
        options: dict[str, Any] = {}
        samplers = [sampler for sampler in map(_sampler, batch) if sampler is not None]
        if samplers:
            options["logits_processor"] = [RowwiseSampler(samplers)]
        with self._applied(first.adapter, first.adapter_sha256), torch.inference_mode():
            started = time.perf_counter()
            out = self._model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=first.max_new_tokens,
                do_sample=False,
                **options,
            )
            rows = out[:, ids.shape[1] :].tolist()
            seconds = (time.perf_counter() - started) / len(batch)
        return [self._completion(r, row, seconds) for r, row in zip(batch, rows, strict=True)]

    def _padded(self, batch: list[Request]) -> tuple[Any, Any]:
        """Left-padded ids and attention mask, both (rows, longest prompt)."""
        import torch

        width = max(map(prompt_length, batch))
        ids = torch.full((len(batch), width), self.tokenizer.pad_token_id, dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for i, request in enumerate(batch):
            tokens = torch.tensor(request.prompt.tokens, dtype=torch.long)
            ids[i, width - len(tokens) :] = tokens
            mask[i, width - len(tokens) :] = 1
        return ids.to(self.device), mask.to(self.device)

    def _answer(self, request: Request, decoded: Decoded) -> Completion:
        return Completion(
            key=request.key,
            text=self.tokenizer.decode(decoded.tokens, skip_special_tokens=True),
            tokens_in=prompt_length(request),
            tokens_out=len(decoded.tokens) + decoded.ended,
            latency_s=decoded.seconds,
            finish_reason="stop" if decoded.ended else "length",
        )

    def _completion(self, request: Request, row: list[int], seconds: float) -> Completion:
        end = next((i for i, token in enumerate(row) if token in self._end_tokens), None)
        kept = row if end is None else row[:end]
        return Completion(
            key=request.key,
            text=self.tokenizer.decode(kept, skip_special_tokens=True),
            tokens_in=prompt_length(request),
            tokens_out=len(kept) + (end is not None),
            latency_s=seconds,
            finish_reason="length" if end is None else "stop",
        )

    @cached_property
    def _end_tokens(self) -> frozenset[int]:
        return models.end_tokens(self.folder, self.tokenizer)

    @cached_property
    def _model(self) -> Any:
        from transformers import GenerationConfig

        model = models.load_base(self.folder, self.precision, self.device)
        # A model's own settings (repetition penalty, forced tokens, …) would change answers
        # without a trace; what a request says is all there is.
        model.generation_config = GenerationConfig(
            pad_token_id=self.tokenizer.pad_token_id, eos_token_id=sorted(self._end_tokens)
        )
        return model


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
