"""The Lambda Runtime API: gives events to one runtime and receives its responses and errors."""

from __future__ import annotations

import queue
import socket
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

JSON = {"Content-Type": "application/json"}


class RuntimeApi(HTTPServer):
    """Lambda's side of https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.

    One request at a time is enough: a process that asks for the next event has nothing else to say until it gets one.

    As strict as Lambda's own, as far as AWS has published it: an answer counts once, and only for the request that is
    in flight. (rapi/middleware/middleware.go and core/states.go in
    https://github.com/aws/aws-lambda-runtime-interface-emulator/tree/4fa2157/internal/lambda.)
    """

    def __init__(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        super().__init__(("127.0.0.1", 0), _Request)
        self.received: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        """What the runtime said: next, response or error, and the body of the latter two; refused, and what it was."""
        self.events: queue.SimpleQueue[tuple[Mapping[str, str], str] | None] = queue.SimpleQueue()
        """What it gets when it asks for the next event: headers and body."""
        self.in_flight = "init"
        """The request that an answer may be for; init before the first, empty once it has been answered."""
        self._stopped = threading.Event()

    def serve(self) -> None:
        """Serve until `stop`."""
        # Not serve_forever: it looks every few milliseconds whether it was stopped, for each of hundreds of processes.
        while not self._stopped.is_set():
            self.handle_request()
        self.server_close()

    def stop(self) -> None:
        """Stop serving a process that is dead."""
        self.socket.shutdown(socket.SHUT_RDWR)  # a server that waits for a request waits no longer
        self._stopped.set()
        self.events.put(None)

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
            self.server.in_flight = event[0]["Lambda-Runtime-Aws-Request-Id"]
            self._answer(200, *event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode(errors="replace")
        request_id, what = self.path.rsplit("/", 2)[1:]  # …/ID/response, …/ID/error, …/init/error
        if request_id == self.server.in_flight:
            self.server.in_flight = ""
            self.server.received.put((what, body))
            self._answer(202, JSON, '{"status": "OK"}')
        else:
            self.server.received.put(("refused", f"{request_id}/{what}"))
            self._answer(400, JSON, '{"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
        pass

    def _answer(self, status: int, headers: Mapping[str, str], body: str) -> None:
        content = body.encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
