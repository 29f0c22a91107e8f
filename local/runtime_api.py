"""The Lambda Runtime API: gives events to one runtime and receives its responses and errors."""

from __future__ import annotations

import queue
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class RuntimeApi(HTTPServer):
    """Lambda's side of https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.

    One request at a time is enough: a process that asks for the next event has nothing else to say until it gets one.
    """

    def __init__(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        super().__init__(("127.0.0.1", 0), _Request)
        self.received: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        """What the runtime said: next, response or error, and the body of the latter two."""
        self.events: queue.SimpleQueue[tuple[Mapping[str, str], str] | None] = queue.SimpleQueue()
        """What it gets when it asks for the next event: headers and body."""

    def stop(self) -> None:
        """Stop serving a process that is dead."""
        self.events.put(None)
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report it, unless the process was killed and took its connection with it."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Request(BaseHTTPRequestHandler):
    server: RuntimeApi

    def do_GET(self) -> None:
        self.server.received.put(("next", ""))
        event = self.server.events.get()
        if event:
            self._answer(200, *event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode(errors="replace")
        self.server.received.put((self.path.rpartition("/")[2], body))  # …/response or …/error
        self._answer(202, {"Content-Type": "application/json"}, '{"status": "OK"}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
        pass

    def _answer(self, status: int, headers: Mapping[str, str], body: str) -> None:
        content = body.encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
