"""A stand-in for an API of the internet that jobs call in their tests: https, on this machine."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme


@dataclass(frozen=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]
    """By their names in small letters."""
    body: bytes

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


@dataclass
class WebApi:
    """The stand-in: what it was asked, and what it answers."""

    host: str
    """With its port: what the job's USES has to name."""
    authority: Path
    """The certificate that it is verified with, in a file."""
    asked: list[Asked] = field(default_factory=list)
    answers: list[tuple[int, Any]] = field(default_factory=lambda: [(200, {})])
    """A status, and what is sent as JSON: one for each request, the last one for all that follow. The status 0 closes
    the connection without an answer."""

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://{self.host}"

    def answer(self, asked: Asked) -> tuple[int, Any]:
        """Note a request, and return what it gets."""
        self.asked.append(asked)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving(folder: Path) -> Iterator[WebApi]:
    """Within, the stand-in answers; `folder` has its authority's certificate."""
    authority = trustme.CA()
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    api = WebApi(host=f"127.0.0.1:{server.server_address[1]}", authority=file)
    _Handler.apis[server.server_address[1]] = api
    thread = threading.Thread(target=server.serve_forever, name="web-api", daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        del _Handler.apis[server.server_address[1]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    apis: dict[int, WebApi] = {}  # noqa: RUF012 (of the servers that run)

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, self.rfile.read(length))
        status, content = self.apis[self.server.server_address[1]].answer(asked)  # type: ignore[index]
        if not status:
            self.close_connection = True
            return
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (the names are http.server's)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: what was asked is in `asked`."""
