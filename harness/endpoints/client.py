"""One endpoint, through the ``openai`` client: errors told apart, retries, many at a time."""

from __future__ import annotations

import os
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.endpoints.pace import Pace
from harness.endpoints.refusals import Lost, said, wish
from harness.errors import MissingExtra, ServerError

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
GONE = 10
"""So many requests lost one after the other, each with all its retries: the server has gone."""
LONGEST_REASON = 300

Body = Mapping[str, Any]
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Reply:
    """A JSON object that came back."""

    content: Mapping[str, Any]
    seconds: float
    """Wall seconds of the request that was answered; not those of lost ones and of waiting."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is none. The reason holds what the server said, and never the key."""

    reason: str
    status: int | None = None
    lost: bool = False
    """After all retries: the same request may be answered another time."""


class Endpoint:
    """Requests to the server at ``base_url``; safe to use from several threads.

    The key is read from the environment variable ``api_key_env``; without one no key is sent,
    also none that is meant for another server. Proxies and certificates are those of the
    environment. Raises ServerError where the key is not there, MissingExtra without ``openai``.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key_env: str | None = None,
        concurrency: int = 32,
        timeout_s: float = 120.0,
        max_retries: int = 5,
    ) -> None:
        try:
            import openai
        except ImportError:
            raise MissingExtra("openai", "server", "Asking a server") from None
        self.base_url = base_url.rstrip("/")
        self._key_env = api_key_env
        self._key = _key(api_key_env)
        self._timeout_s = timeout_s
        self._max_retries = max_retries
        self._concurrency = concurrency
        self.pace = Pace(concurrency)
        self._openai = openai
        self._opened: Any = None

    @property
    def _client(self) -> Any:
        if self._opened is None:
            self._opened = self._openai.OpenAI(
                base_url=self.base_url,
                # The client would take OPENAI_API_KEY, and send it to any server.
                api_key=self._key or "none",
                timeout=self._timeout_s,
                max_retries=0,
                default_headers=_quiet(self._openai),
            )
        return self._opened

    def close(self) -> None:
        """Let go of the connections; the next request makes new ones."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    # ---- one request

    def get(self, path: str, *, timeout_s: float = 10.0) -> Reply | Failure:
        """GET ``path`` below the base URL, or a whole URL, once; a list comes as ``data``. Raises
        ServerError where the server cannot be reached."""
        client = self._client.with_options(timeout=timeout_s)

        def send() -> Any:
            content = client.get(path, cast_to=object)
            return {"data": content} if isinstance(content, list) else content

        found = self._once(send)
        if isinstance(found, Lost):
            if found.unreachable:
                raise self.error(f"cannot be reached: {found.reason}. Is it running there?")
            return Failure(found.reason, found.status, lost=True)
        return found

    def post(
        self,
        path: str,
        body: Body,
        *,
        retries: int | None = None,
        stop: threading.Event | None = None,
    ) -> Reply | Failure:
        """POST ``body``, again where it was lost or the server was busy (at most ``retries`` times;
        None: as the endpoint was told).

        Raises ServerError where the key is refused. ``stop``: give up as soon as it is set.
        """
        stop, client = stop or threading.Event(), self._client
        lost = Lost("not asked")
        retries = self._max_retries if retries is None else retries
        for attempt in range(retries + 1):
            found = self._paced(lambda: client.post(path, body=dict(body), cast_to=object), stop)
            if isinstance(found, Failure) and found.status in (401, 403):
                raise self.key_error(found.reason)
            if not isinstance(found, Lost):
                return found
            lost = found
            if lost.hopeless:
                asks = f"{lost.reason} (the server asks for {lost.wish_s:.0f} s of patience)"
                return Failure(asks, lost.status, lost=True)
            if stop.is_set():
                return Failure(lost.reason, lost.status, lost=True)
            if attempt < retries and not lost.wish_s:
                # Jitter, so that requests refused together do not come back together.
                longest = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**attempt)
                stop.wait(random.uniform(longest / 2, longest))
        tries = f"{retries + 1} tries" if retries else "1 try"
        return Failure(f"{lost.reason} (after {tries})", lost.status, lost=True)

    def _paced(self, send: Callable[[], Any], stop: threading.Event) -> Reply | Failure | Lost:
        ticket = self.pace.enter(stop)
        if ticket is None:
            return Lost("interrupted")
        found: Reply | Failure | Lost = Lost("interrupted")
        try:
            found = self._once(send)
        finally:
            lost = found if isinstance(found, Lost) else None
            pause = (lost.wish_s or 0.0) if lost is not None and not lost.hopeless else 0.0
            self.pace.leave(ticket, overloaded=lost is not None, pause_s=pause)
        return found

    def _once(self, send: Callable[[], Any]) -> Reply | Failure | Lost:
        errors = self._openai
        started = time.perf_counter()
        try:
            # As plain JSON: the client's own types are filled without being checked.
            content = send()
        except errors.APITimeoutError:
            return Lost(f"no answer within {self._timeout_s:g} s", unreachable=True)
        except errors.APIConnectionError as error:
            cause = str(error.__cause__ or error) or type(error.__cause__).__name__
            return Lost(f"the connection failed: {self._safe(cause)}", unreachable=True)
        except errors.APIStatusError as error:
            return self._refused(error)
        except ValueError:
            return Lost("the answer is not JSON, or not whole")
        seconds = time.perf_counter() - started
        if not isinstance(content, dict):
            return Lost("the answer is not a JSON object")
        return Reply(content, seconds)

    def _refused(self, error: Any) -> Failure | Lost:
        status = int(error.status_code)
        reason = f"HTTP {status}: {self._safe(said(error))}"
        # A quota that is used up does not come back while one waits.
        busy = status in (408, 409, 425, 429) and "insufficient_quota" not in reason
        if busy or status >= 500:
            return Lost(reason, status, wish(error.response.headers))
        return Failure(reason, status)

    def key_error(self, reason: str) -> ServerError:
        """For the caller to raise where the key, or having none, is refused."""
        if self._key_env:
            return self.error(f"refuses the key in {self._key_env}. {reason}")
        return self.error(f"wants a key: name its environment variable in api_key_env. {reason}")

    def error(self, what: str) -> ServerError:
        """For the caller to raise: the server at this address, and what it does."""
        return ServerError(f"The server at {self.base_url} {what}")

    def _safe(self, text: str) -> str:
        """``text`` on one line of bearable length, without the key."""
        if self._key:
            text = text.replace(self._key, "…")
        text = " ".join(text.split())
        return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"

    # ---- many

    def post_many(
        self, path: str, bodies: Sequence[tuple[Key, Body]]
    ) -> Iterator[tuple[Key, Reply | Failure]]:
        """(key, what came back) for each (key, body), as they come.

        Raises ServerError where the server has gone: waiting out the retries of every request
        would take hours and end in nothing.
        """
        waiting: queue.SimpleQueue[tuple[Key, Body]] = queue.SimpleQueue()
        done: queue.SimpleQueue[tuple[Key, Reply | Failure | BaseException]] = queue.SimpleQueue()
        stop = threading.Event()
        for one in bodies:
            waiting.put(one)

        def work() -> None:
            while not stop.is_set():
                try:
                    key, body = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    done.put((key, self.post(path, body, stop=stop)))
                except BaseException as error:
                    done.put((key, error))

        # Not a pool: its threads would hold up the end of the process after Ctrl-C.
        for _ in range(min(self._concurrency, len(bodies))):
            threading.Thread(target=work, daemon=True).start()
        lost = 0
        try:
            for _ in bodies:
                key, found = done.get()
                if isinstance(found, BaseException):
                    raise found
                lost = lost + 1 if isinstance(found, Failure) and found.lost else 0
                if lost >= GONE and isinstance(found, Failure):
                    raise self.error(
                        f"has stopped answering: {found.reason}. The answers so far are kept; run "
                        "again when it is back."
                    )
                yield key, found
        finally:
            stop.set()


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ServerError(
            f"The environment variable {variable}, which is to hold the server's key, is not set. "
            f"Set it, or take api_key_env out where the server wants no key."
        )
    if not key.isascii() or not key.isprintable():
        raise ServerError(f"The environment variable {variable} holds no key: it is not ASCII.")
    return key


def _quiet(openai: Any) -> dict[str, Any]:
    """Headers left out: what the client tells of this machine, and whom it bills elsewhere."""
    names = ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version", "Async")
    found: dict[str, Any] = {f"X-Stainless-{name}": openai.Omit() for name in names}
    return {**found, "OpenAI-Organization": openai.Omit(), "OpenAI-Project": openai.Omit()}
