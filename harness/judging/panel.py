"""Asks the judges, each of them as often as wanted, and keeps every verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness import endpoints, fingerprints
from harness.endpoints import Endpoint, Failure, Reply
from harness.errors import did_you_mean
from harness.judging import prompt
from harness.judging.models import JudgeModel
from harness.judging.prompt import Case, Order
from harness.judging.reading import Read, read
from harness.judging.rubric import Rubric

PATH = "/chat/completions"
ORDERS: tuple[Order, ...] = ("forward", "swapped")
_REFUSED = (400, 404, 415, 422, 501)
"""Statuses with which servers refuse a key of the request that they do not know."""
CAPPED = "the judge was not asked: the cap on its {what} is reached. Raise it and run again"


class Keep(Protocol):
    def add(self, key: str, value: Mapping[str, Any]) -> None: ...


class Memory(Protocol):
    """Where verdicts are kept between runs."""

    def known(self, keys: Sequence[str]) -> Mapping[str, Mapping[str, Any]]: ...

    def keeping(self) -> AbstractContextManager[Keep]:
        """Within the block what is added is stored, soon, and also where it is left by an error."""
        ...


@dataclass(frozen=True)
class Caps:
    """Most that fresh calls of one run may take. None: no cap."""

    tokens: int | None = None
    cost: float | None = None


@dataclass
class Spent:
    """What was asked so far. Calls under way when a cap is reached are still paid for."""

    fresh: int = 0
    """Verdicts that a judge gave now."""
    cached: int = 0
    """Verdicts known from before; none of them counts as a fresh repeat."""
    shared: int = 0
    """Verdicts of this run that serve more than one case, as question and answer are the same."""
    failed: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    unknown_tokens: int = 0
    """Calls of which the server did not tell the tokens; counted as a token for two characters."""
    cost: float | None = None

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True)
class Judgment:
    """One verdict, or why there is none."""

    case: str
    judge: str
    repeat: int
    order: Order | None
    """Of the answers as shown (pairwise): ``forward`` is the case's own first."""
    read: Read | None
    raw: str | None
    """What the judge wrote, whole."""
    reason: str | None = None
    fresh: bool = False


@dataclass(frozen=True)
class _Call:
    judge: JudgeModel
    case: Case
    repeat: int
    order: Order | None
    key: str


@dataclass
class Panel:
    """One or more judges with a rubric. ``repeats``: verdicts of each judge on the same case."""

    judges: Sequence[JudgeModel]
    rubric: Rubric
    repeats: int = 1
    caps: Caps = Caps()
    spent: Spent = field(default_factory=Spent)
    _endpoints: dict[str, Endpoint] = field(default_factory=dict)
    _plain: set[str] = field(default_factory=set)
    """Judges whose server takes no ``response_format``."""

    def greet(self) -> None:
        """Raise ServerError where a server cannot be reached, refuses the key or lacks the model.

        Costs a token of each judge.
        """
        for judge in self.judges:
            body = {**_settings(judge), "max_tokens": 1}
            body["messages"] = [{"role": "user", "content": "Reply with OK."}]
            found = self._endpoint(judge).post(PATH, body)
            if isinstance(found, Failure):
                raise self._unusable(judge, found)

    def ask(
        self,
        cases: Sequence[Case],
        memory: Memory,
        advance: Callable[[int], None] = lambda n: None,
    ) -> list[Judgment]:
        """Every verdict on every case: by case, judge, repeat and (pairwise) order.

        ``advance`` is told of verdicts as they come. Raises ServerError as ``greet``, and where a
        server has gone; what came before that is kept.
        """
        calls = [call for case in cases for call in self._calls(case)]
        wanted = {call.key: call for call in calls}
        found: dict[str, Mapping[str, Any]] = dict(memory.known(list(wanted)))
        old = set(found)
        self.spent.cached += len(old)
        self.spent.shared += len(calls) - len(wanted)
        advance(len(calls) - len(wanted) + len(old))
        failed: dict[str, str] = {}
        for judge in self.judges:
            missing = [c for key, c in wanted.items() if c.judge == judge and key not in found]
            with memory.keeping() as keep:
                for call, told in self._fresh(judge, missing):
                    if isinstance(told, str):
                        failed[call.key] = told
                    else:
                        keep.add(call.key, told)
                        found[call.key] = told
                    advance(1)
        return [
            self._judgment(call, found.get(call.key), failed, call.key in old) for call in calls
        ]

    def close(self) -> None:
        for endpoint in self._endpoints.values():
            endpoint.close()

    # ---- what is asked

    def _calls(self, case: Case) -> Iterator[_Call]:
        orders: Sequence[Order | None] = ORDERS if self.rubric.kind == "pairwise" else (None,)
        for judge in self.judges:
            for repeat in range(self.repeats):
                for order in orders:
                    yield _Call(judge, case, repeat, order, self._key(judge, case, repeat, order))

    def _key(self, judge: JudgeModel, case: Case, repeat: int, order: Order | None) -> str:
        # The order is in the texts: the same pair the other way round is the same call.
        return fingerprints.of(
            {
                "judgment": 1,
                "judge": judge.identity,
                "rubric": self.rubric.sha256,
                "prompt": prompt.SHA256,
                "texts": prompt.texts_identity(self.rubric, case, order),
                "repeat": repeat,
            }
        )

    def _fresh(
        self, judge: JudgeModel, calls: Sequence[_Call]
    ) -> Iterator[tuple[_Call, Mapping[str, Any] | str]]:
        """What came back for each call: what is kept of an answer, or why there is none."""
        waiting = list(calls)
        capped = self.caps != Caps()
        # The first tells whether the server takes a schema, before many are refused at a time.
        size = 1
        while waiting:
            if why := self._over():
                yield from ((call, why) for call in waiting)
                return
            wave, waiting = waiting[:size], waiting[size:]
            size = judge.concurrency if capped else len(waiting)
            bodies = [(call, self._body(call)) for call in wave]
            for call, reply in self._post(judge, bodies):
                yield call, self._kept(judge, call, reply)

    def _post(
        self, judge: JudgeModel, bodies: Sequence[tuple[_Call, dict[str, Any]]]
    ) -> Iterator[tuple[_Call, Reply | Failure]]:
        endpoint = self._endpoint(judge)
        for call, found in endpoint.post_many(PATH, bodies):
            refused = isinstance(found, Failure) and found.status in _REFUSED
            if refused and judge.title not in self._plain:
                again = endpoint.post(PATH, self._body(call, plain=True))
                if isinstance(again, Reply):
                    self._plain.add(judge.title)
                found = again
            yield call, found

    def _body(self, call: _Call, *, plain: bool = False) -> dict[str, Any]:
        body = _settings(call.judge)
        body["messages"] = prompt.messages(self.rubric, call.case, call.order)
        if call.judge.temperature > 0:
            body["seed"] = int(call.key[:7], 16)
        if not plain and call.judge.title not in self._plain:
            body["response_format"] = prompt.response_format(self.rubric.kind)
        return body

    # ---- what came back

    def _kept(
        self, judge: JudgeModel, call: _Call, found: Reply | Failure
    ) -> Mapping[str, Any] | str:
        if isinstance(found, Failure):
            if found.status == 404:
                raise self._unusable(judge, found)
            self.spent.failed += 1
            return f"the judge gave no verdict: {found.reason}"
        answer = endpoints.read_answer(found.content)
        if isinstance(answer, str):
            self.spent.failed += 1
            return f"the judge gave no verdict: {answer}"
        self._pay(judge, call, answer)
        return {
            "text": answer.text,
            "finish_reason": answer.finish_reason,
            "tokens_in": answer.tokens_in,
            "tokens_out": answer.tokens_out,
            "seconds": found.seconds,
        }

    def _pay(self, judge: JudgeModel, call: _Call, answer: endpoints.Answer) -> None:
        self.spent.fresh += 1
        tokens_in, tokens_out = answer.tokens_in, answer.tokens_out
        if tokens_in is None or tokens_out is None:
            self.spent.unknown_tokens += 1
            read_in = sum(
                len(m["content"]) for m in prompt.messages(self.rubric, call.case, call.order)
            )
            tokens_in, tokens_out = (read_in + 1) // 2, (len(answer.text) + 1) // 2
        self.spent.tokens_in += tokens_in
        self.spent.tokens_out += tokens_out
        if judge.cost_per_1k_tokens is not None:
            price = judge.cost_per_1k_tokens * (tokens_in + tokens_out) / 1000
            self.spent.cost = (self.spent.cost or 0.0) + price

    def _over(self) -> str | None:
        if self.caps.tokens is not None and self.spent.tokens >= self.caps.tokens:
            return CAPPED.format(what="tokens")
        if self.caps.cost is not None and (self.spent.cost or 0.0) >= self.caps.cost:
            return CAPPED.format(what="cost")
        return None

    def _judgment(
        self,
        call: _Call,
        kept: Mapping[str, Any] | None,
        failed: Mapping[str, str],
        old: bool,
    ) -> Judgment:
        about = (call.case.key, call.judge.title, call.repeat, call.order)
        if kept is None:
            return Judgment(*about, None, None, failed[call.key])
        found = read(str(kept["text"]), self.rubric.kind)
        if isinstance(found, Read):
            return Judgment(*about, found, str(kept["text"]), None, not old)
        cut = kept.get("finish_reason") == "length"
        reason = f"unparseable: {found}"
        if cut:
            reason += f" (cut off at max_tokens = {call.judge.max_tokens})"
        return Judgment(*about, None, str(kept["text"]), reason, not old)

    # ---- servers

    def _endpoint(self, judge: JudgeModel) -> Endpoint:
        if judge.title not in self._endpoints:
            self._endpoints[judge.title] = Endpoint(
                judge.base_url,
                api_key_env=judge.api_key_env,
                concurrency=judge.concurrency,
                timeout_s=judge.timeout_s,
                max_retries=judge.max_retries,
            )
        return self._endpoints[judge.title]

    def _unusable(self, judge: JudgeModel, found: Failure) -> Exception:
        endpoint = self._endpoint(judge)
        known = sorted(endpoints.ask(endpoint).models or {})
        reason = found.reason.rstrip(".")
        what = f"does not answer as the judge '{judge.model}': {reason}."
        if known and judge.model not in known:
            what = f"has no model '{judge.model}': {reason}.{did_you_mean(judge.model, known)}"
        return endpoint.error(what)


def _settings(judge: JudgeModel) -> dict[str, Any]:
    return {
        "model": judge.model,
        "max_tokens": judge.max_tokens,
        "temperature": judge.temperature,
        **(judge.extra_body or {}),
    }
