"""How one server is spoken to: prompts, requests, and names, found out by asking it once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import endpoints, models
from harness.endpoints import Answer, Endpoint, Failure, Reply
from harness.engines import forcing
from harness.engines.fronts import Front
from harness.errors import ServerError, did_you_mean
from harness.types import Forced, Likelihood, Message, Prompt, Server

NEUTRAL: Mapping[str, Mapping[str, Any]] = {
    "vLLM": {"repetition_penalty": 1.0, "top_k": -1, "min_p": 0.0},
    "llama.cpp": {"repeat_penalty": 1.0, "top_k": 0, "min_p": 0.0},
}
"""Settings that these servers would otherwise take from the model's files or from defaults of
their own: what a request says is all there is."""

HELLO = "Write one sentence about the sea."
_NOBODY = "no-model-has-this-name"
NOT_TOLD = (
    "the server does not tell how likely a given text is (vLLM does, with api = 'completions')"
)
NOT_WITH_ADAPTERS = (
    "vLLM with LoRA modules is not asked how likely a given text is: its engine may end over it "
    "(vllm-project/vllm issue 16668)"
)
MISCOUNT = "the server counts other tokens in the prompt than were rendered here"


class Dialect:
    """Requests for ``server`` in the form it takes. Raises ServerError where it cannot be reached
    or used."""

    def __init__(self, server: Server, tokenizer: Path | None) -> None:
        self.server = server
        self.endpoint = Endpoint(
            server.base_url,
            api_key_env=server.api_key_env,
            concurrency=server.concurrency,
            timeout_s=server.timeout_s,
            max_retries=server.max_retries,
        )
        self.path = "/chat/completions" if server.api == "chat" else "/completions"
        self.as_tokens = True
        """Prompts that are rendered here go as token ids, else as text."""
        self._front = None if tokenizer is None else Front(tokenizer)
        """Makes the prompts that are rendered here; None: the server makes them."""
        self._limit = "max_tokens"
        self._greeted: set[str] = set()

    @cached_property
    def told(self) -> endpoints.Told:
        return endpoints.ask(self.endpoint)

    @property
    def template(self) -> Mapping[str, str]:
        """What identifies the prompts that are rendered here; empty where the server does it."""
        if self._front is None:
            return {}
        return {
            "prompt_sent_as": "tokens" if self.as_tokens else "text",
            "template_sha256": self._front.template_sha256,
            "tokenizer_sha256": models.tokenizer_sha256(self._front.folder),
        }

    def prompts(self, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
        if self._front is None:
            return [
                Prompt(tuple(c), json.dumps(list(c), ensure_ascii=False)) for c in conversations
            ]
        return self._front.rendered(conversations)

    def body(self, prompt: Prompt, name: str, new_tokens: int) -> dict[str, Any]:
        body: dict[str, Any] = {"model": name, self._limit: new_tokens, "temperature": 0.0}
        if self.server.api == "chat":
            body["messages"] = list(prompt.messages)
        else:
            body["prompt"] = list(prompt.tokens or ()) if self.as_tokens else prompt.text
        if self.told.loras:
            body["lora"] = [
                {"id": number, "scale": float(lora == name)}
                for lora, number in self.told.loras.items()
            ]
        neutral = NEUTRAL.get(self.told.kind or "", {})
        return {**body, **neutral, **(self.server.extra_body or {})}

    @property
    def no_likelihoods(self) -> str | None:
        """Why the server cannot be asked how likely a prompt's own tokens are; None: it can."""
        if self._front is None or not self.as_tokens or self.told.kind != "vLLM":
            return NOT_TOLD
        if any(entry.get("parent") for entry in (self.told.models or {}).values()):
            return NOT_WITH_ADAPTERS
        return None

    def row(self, request: Forced, context: int) -> forcing.Row | Likelihood:
        """Prompt and target in tokens; or, with the reason, no likelihood."""
        assert self._front is not None
        ends = self._front.end_tokens
        # One token less than the context: the server writes one.
        return forcing.row(self._front.tokenizer, ends, request, context - 1)

    def context_length(self, model: str) -> int:
        """Where the server tells it; else no bound."""
        entry = self.told.entry(model) or {}
        meta = entry.get("meta")
        known = [entry.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, dict) else None]
        return next((n for n in known if type(n) is int and n > 0), 1 << 30)

    # ---- names

    def greet(self, name: str) -> None:
        """Ask the model ``name`` for one token. Raises ServerError where it is not there, or the
        server cannot be used."""
        if name in self._greeted:
            return
        found = self._hello(name)
        if isinstance(found, Failure):
            raise self.unknown(name, found)
        self._check(found)
        if self.told.models and self.told.entry(name) is None:
            self._refuse_any(name)
        self._greeted.add(name)

    def _hello(self, name: str) -> Reply | Failure:
        found = self._one_token(name)
        if isinstance(found, Failure) and "max_completion_tokens" in found.reason:
            self._limit = "max_completion_tokens"
            found = self._one_token(name)
        if isinstance(found, Failure) and self._front is not None and self.as_tokens:
            # Not every server takes token ids. Text is as good where it comes to the same ones.
            self.as_tokens = False
            again = self._one_token(name)
            self.as_tokens = isinstance(again, Failure)
            return found if self.as_tokens else again
        return found

    def _one_token(self, name: str) -> Reply | Failure:
        # Few tries: a mistake in a name is told at once, and nothing has been spent.
        return self.endpoint.post(self.path, self.body(self._prompt, name, 1), retries=1)

    @cached_property
    def _prompt(self) -> Prompt:
        return self.prompts([[{"role": "user", "content": HELLO}]])[0]

    def _check(self, found: Reply) -> None:
        answer = endpoints.read_answer(found.content)
        if isinstance(answer, str):
            raise self.endpoint.error(f"cannot be used: {answer}. Is it an OpenAI-compatible API?")
        tokens = self._prompt.tokens
        if tokens and answer.tokens_in is None and not self.as_tokens:
            raise self.endpoint.error(
                "takes prompts as text only and does not count their tokens, so whether it reads "
                "what was rendered here cannot be known. Use api = 'chat'."
            )
        if tokens and not self.read_as_sent(answer, tokens):
            raise self.endpoint.error(
                f"cannot be used with this tokenizer: {MISCOUNT} ({answer.tokens_in} for "
                f"{len(tokens)}). Name the served model's tokenizer, or use api = 'chat'."
            )

    def read_as_sent(self, answer: Answer, tokens: Sequence[int]) -> bool:
        """Whether the server has read as many tokens as were rendered here. Token ids are what they
        are, whether it counts them or not; text may come to others."""
        if answer.tokens_in is None:
            return self.as_tokens
        return answer.tokens_in == len(tokens)

    def unknown(self, name: str, found: Failure) -> ServerError:
        known = self.told.models or {}
        if known and self.told.entry(name) is None:
            return self.endpoint.error(
                f"has no model '{name}'.{did_you_mean(name, known)} It says: {found.reason}"
            )
        return self.endpoint.error(f"does not answer for the model '{name}': {found.reason}")

    def _refuse_any(self, name: str) -> None:
        """Raise ServerError for a name that is not listed, on a server that answers to any."""
        if not isinstance(self._one_token(_NOBODY), Reply):
            return
        raise self.endpoint.error(
            f"answers whatever model one names, and '{name}' is not one that it has."
            f"{did_you_mean(name, self.told.models or {})}"
        )
