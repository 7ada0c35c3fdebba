"""Completions by an OpenAI-compatible server: vLLM, Ollama, llama.cpp, TGI, or a hosted one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import endpoints
from harness.endpoints import Answer, Failure, Reply
from harness.engines import canary, forcing, told_likelihoods
from harness.engines.dialect import MISCOUNT, Dialect
from harness.engines.sampling import seed_of
from harness.errors import PreflightError
from harness.types import SERVED, Completion, Forced, Likelihood, Message, Prompt, Request, Server

ENGINE = "OpenAI-compatible server, 1"
"""Raise the number when a change here can change an answer."""

_TOO_LONG = ("context length", "context size", "context window", "maximum context", "too long")


class ServerEngine:
    """``types.Engine`` over a server; adapters are names that it answers to.

    ``tokenizer``: folder with tokenizer and chat template, where prompts are rendered here
    (``api = "completions"``). Nothing is asked before ``reach`` or the first use of what only the
    server knows. Raises ServerError where it cannot be reached or used.
    """

    device = "server"
    folder = None

    def __init__(self, model: str, server: Server, *, tokenizer: Path | None = None) -> None:
        self.model = model
        self.server = server
        self.probes: Sequence[Sequence[Message]] = ()
        """Conversations of the suite, for ``prove``."""
        self._dialect = Dialect(server, tokenizer)
        self._endpoint = self._dialect.endpoint
        self._tells_logs = True

    # ---- what it is

    @cached_property
    def identity(self) -> Mapping[str, str]:
        self.reach()
        told = self._dialect.told
        return {
            "engine": ENGINE,
            "precision": SERVED,
            "base_url": self._endpoint.base_url,
            "api": self.server.api,
            "model": self.model,
            "model_told": self.told_of(self.model),
            "server": told.kind or "not known",
            "server_told": _canonical(told.about),
            "extra_body": _canonical(self.server.extra_body or {}),
            **self._dialect.template,
        }

    def told_of(self, name: str) -> str:
        """What the server's list tells of a model, as JSON; part of what identifies an answer."""
        return _canonical(self._dialect.told.entry(name) or {})

    @cached_property
    def context_length(self) -> int:
        """Of the served model where the server tells; else no bound."""
        return self._dialect.context_length(self.model)

    def prompts(self, conversations: Sequence[Sequence[Message]]) -> list[Prompt]:
        return self._dialect.prompts(conversations)

    def reach(self, adapters: Sequence[str] = ()) -> None:
        """Ask for one token of the base and of each adapter, before anything is spent.

        Raises ServerError where the server is not there, refuses the key, or does not know one
        of the names.
        """
        for name in (self.model, *adapters):
            self._dialect.greet(name)

    # ---- adapters

    def prove(self, adapter: str) -> Mapping[str, Any]:
        """Evidence that the adapter's name changes the answers. Raises PreflightError where it
        does not, or where the server says that the adapter belongs to another base."""
        entry = self._dialect.told.entry(adapter) or {}
        parent = entry.get("parent")
        base = self._dialect.told.entry(self.model) or {}
        if parent is not None and parent not in (self.model, base.get("root")):
            raise PreflightError(
                f"The server at {self._endpoint.base_url} says that the adapter '{adapter}' "
                f"belongs to '{parent}', and this variant's model is '{self.model}'."
            )
        first, second = self._bare
        adapted = self._probed(adapter)
        by_adapter = canary.moved(second, adapted)
        by_itself = canary.moved(first, second)
        if not canary.applied(by_adapter, by_itself):
            raise PreflightError(
                f"The adapter '{adapter}' changes nothing on the server at "
                f"{self._endpoint.base_url}: {len(first)} prompts were answered as by "
                f"'{self.model}'{'' if by_adapter.log is None else ', log-probabilities included'}."
                " The server ignores the name, serves the base under it, or the adapter was never "
                "trained."
            )
        return {
            "precision": SERVED,
            "base_sha256": None,
            "template_sha256": self._dialect.template.get("template_sha256"),
            "template": "rendered here" if self._dialect.template else "the server's, not known",
            "weights": "on the server, not known",
            "parent": parent,
            "canary": {
                **canary.evidence(by_adapter, by_itself, len(first)),
                "mixed_up_when_asked_together": self._mixed_up(adapter, second, adapted),
            },
        }

    def _mixed_up(self, adapter: str, bare: Sequence[Answer], adapted: Sequence[Answer]) -> int:
        together = self._answers((self.model, adapter))
        return canary.mixed_up(bare, adapted, together[self.model], together[adapter])

    @cached_property
    def _bare(self) -> tuple[list[Answer], list[Answer]]:
        """The base's answers to the probes, twice."""
        return self._probed(self.model), self._probed(self.model)

    def _probed(self, name: str) -> list[Answer]:
        return self._answers((name,))[name]

    def _answers(self, names: Sequence[str]) -> dict[str, list[Answer]]:
        """Each name's answers to the probes: of one name one after the other, as in batches of one
        a model says the same again; of several names all at a time."""
        found = self._asked(names)
        if self._tells_logs and all(isinstance(one, Failure) for one in found.values()):
            # Refused with log-probabilities; the texts remain.
            self._tells_logs = False
            found = self._asked(names)
        answers: dict[str, list[Answer]] = {name: [] for name in names}
        for (_, name), one in sorted(found.items()):
            answer = one.reason if isinstance(one, Failure) else endpoints.read_answer(one.content)
            if isinstance(answer, str):
                raise PreflightError(
                    f"Whether '{name}' is served at {self._endpoint.base_url} cannot be proved, as "
                    f"a probe was not answered: {answer}"
                )
            answers[name].append(answer)
        return answers

    def _asked(self, names: Sequence[str]) -> dict[tuple[int, str], Reply | Failure]:
        logs: Mapping[str, Any] = {}
        if self._tells_logs and self.server.api == "chat":
            logs = {"logprobs": True, "top_logprobs": canary.RIVALS}
        elif self._tells_logs:
            logs = {"logprobs": canary.RIVALS}
        prompts = self.prompts([*map(_said, canary.PROBES), *self.probes])
        bodies = {
            (i, name): {**self._dialect.body(prompt, name, canary.NEW_TOKENS), **logs}
            for i, prompt in enumerate(prompts)
            for name in names
        }
        path = self._dialect.path
        if len(names) > 1:
            return dict(self._endpoint.post_many(path, list(bodies.items())))
        return {key: self._endpoint.post(path, body) for key, body in bodies.items()}

    # ---- completions

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        fitting: dict[str | None, dict[str, Request]] = {}
        for request in requests:
            # Where the server makes the prompt, only it knows the length.
            length = len(request.prompt.tokens or ())
            if length and length + request.max_new_tokens > self.context_length:
                error = (
                    f"prompt too long: {length} tokens and {request.max_new_tokens} new ones "
                    f"exceed the context of {self.context_length}"
                )
                yield Completion(request.key, None, length, 0, 0.0, "error", error)
            else:
                fitting.setdefault(request.adapter, {})[request.key] = request
        # One name after the other: not every server keeps names apart in one batch
        # (``canary.mixed_up``).
        for group in fitting.values():
            bodies = [(key, self._request(request)) for key, request in group.items()]
            for key, found in self._endpoint.post_many(self._dialect.path, bodies):
                yield self._completion(group[key], found)

    def _request(self, request: Request) -> dict[str, Any]:
        name = request.adapter or self.model
        body = self._dialect.body(request.prompt, name, request.max_new_tokens)
        if request.temperature > 0:
            body["temperature"] = request.temperature
            body["top_p"] = request.top_p
            # Of 31 bits, which every server takes.
            body["seed"] = seed_of(request.key, request.seed) >> 32
        return body

    def _completion(self, request: Request, found: Reply | Failure) -> Completion:
        if isinstance(found, Failure):
            if found.status == 404:
                raise self._dialect.unknown(request.adapter or self.model, found)
            return _failed(request, _reason(found))
        answer = endpoints.read_answer(found.content)
        if isinstance(answer, str):
            return _failed(request, answer)
        tokens = request.prompt.tokens
        if tokens and not self._dialect.read_as_sent(answer, tokens):
            return _failed(request, MISCOUNT)
        full = answer.tokens_out is not None and answer.tokens_out >= request.max_new_tokens
        return Completion(
            key=request.key,
            text=answer.text,
            tokens_in=len(tokens) if tokens else answer.tokens_in,
            tokens_out=answer.tokens_out,
            latency_s=found.seconds,
            finish_reason=answer.finish_reason or ("length" if full else "stop"),
        )

    def likelihoods(self, requests: Sequence[Forced]) -> Iterator[Likelihood]:
        why = self._dialect.no_likelihoods
        if why is not None:
            yield from (Likelihood(request.key, None, None, 0, 0, why) for request in requests)
            return
        rows: dict[str | None, dict[str, forcing.Row]] = {}
        for request in requests:
            row = self._dialect.row(request, self.context_length)
            if isinstance(row, Likelihood):
                yield row
            else:
                rows.setdefault(request.adapter, {})[request.key] = row
        for name, group in rows.items():
            bodies = [
                (key, told_likelihoods.body(row, name or self.model)) for key, row in group.items()
            ]
            for key, found in self._endpoint.post_many(self._dialect.path, bodies):
                yield told_likelihoods.read(group[key], found)

    def close(self) -> None:
        self._endpoint.close()


def _said(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


def _failed(request: Request, reason: str) -> Completion:
    return Completion(request.key, None, None, None, 0.0, "error", reason)


def _reason(found: Failure) -> str:
    said = found.reason.lower()
    if found.status in (400, 413, 422) and any(words in said for words in _TOO_LONG):
        return f"prompt too long: {found.reason}"
    return found.reason


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
