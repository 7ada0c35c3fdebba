"""A real HTTP server on loopback that answers, and misbehaves, as a test tells it."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = Mapping[str, Any]
Answer = Callable[[Body, int], "Said | None"]
"""(request, how often its question was asked before) to what is sent; None: the usual answer."""


@dataclass(frozen=True)
class Said:
    """A response as it goes over the wire."""

    status: int = 200
    body: Any = None
    """JSON, or text as it is."""
    headers: Mapping[str, str] = field(default_factory=dict)
    reset: bool = False
    """No response: the connection is reset."""


def choice(text: str | None, **more: Any) -> Said:
    """A chat completion with one choice. ``usage`` and ``finish_reason`` may be given."""
    usage = more.pop("usage", {"prompt_tokens": 7, "completion_tokens": 2})
    made = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop", **more}
    return Said(body={"choices": [made], "usage": usage})


@dataclass
class Scripted:
    """What the server was asked, and how it is to answer."""

    answer: Answer
    models: Any
    """Names that ``/v1/models`` lists; or a ``Said``."""
    pages: Mapping[str, Any] = field(default_factory=dict)
    """Path to JSON, for what servers tell of themselves."""
    url: str = ""
    asked: list[Body] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    """Of each request, by their names in small letters."""
    most_at_a_time: int = 0
    at_a_time: list[int] = field(default_factory=list)
    """Requests under way when each arrived, itself included."""
    lock: Any = field(default_factory=threading.Lock)
    _under_way: int = 0

    def question(self, body: Body) -> str:
        return str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])

    def reply(self, body: Body, headers: Mapping[str, str]) -> Said:
        with self.lock:
            question = (self.question(body), body["model"])
            before = sum((self.question(b), b["model"]) == question for b in self.asked)
            self.asked.append(body)
            self.headers.append(headers)
            self._under_way += 1
            self.at_a_time.append(self._under_way)
            self.most_at_a_time = max(self.most_at_a_time, self._under_way)
        try:
            return self.answer(body, before) or choice(f"{body['model']}: {question[0]}")
        finally:
            with self.lock:
                self._under_way -= 1


@contextmanager
def serving(
    answer: Answer = lambda body, before: None,
    models: Any = ("base", "tuned"),
    pages: Mapping[str, Any] | None = None,
) -> Iterator[Scripted]:
    script = Scripted(answer, models, pages or {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    script.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path != "/v1/models":
                page = script.pages.get(self.path)
                self._send(Said(404, {"error": "no"}) if page is None else Said(body=page))
            elif isinstance(script.models, Said):
                self._send(script.models)
            else:
                listed = [{"id": name, "object": "model"} for name in script.models]
                self._send(Said(body={"object": "list", "data": listed}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(script.reply(body, {k.lower(): v for k, v in self.headers.items()}))

        def _send(self, said: Said) -> None:
            if said.reset:
                # Lingering for 0 seconds closes with a reset.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                self.connection.close()
                return
            text = said.body if isinstance(said.body, str) else json.dumps(said.body)
            data = text.encode()
            self.send_response(said.status)
            for name, value in {"Content-Type": "application/json", **said.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            # Whoever asked may have given up.
            with suppress(BrokenPipeError, ConnectionResetError):
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
