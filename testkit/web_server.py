"""The server of testkit/web_api.py, a program of its own: in the test's process, its threads would count as the job's.

    python testkit/web_server.py FOLDER

It writes its authority's certificate into the folder, and its port to the standard output. Each line that comes is
JSON, new answers or null, and gets a line with what was asked so far. It ends with its input.
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

ADDRESS = "127.0.0.1"


@dataclass
class Conversation:
    """What was asked, and what is answered."""

    answers: list[Any] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    changing: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, *asked: Any) -> Any:
        """Note a request, and return what it gets: the last answer is for all that follow."""
        with self.changing:
            self.asked.append(asked)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def change(self, answers: list[Any] | None) -> str:
        """Answer so from now on, if that is anything; return what was asked, as JSON."""
        with self.changing:
            self.answers = answers or self.answers
            return json.dumps(self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    conversation = Conversation()

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        answer = self.conversation.answer(self.command, self.path, headers, body.decode("latin-1"))
        if answer == "hangs":
            threading.Event().wait()
        if answer == "closes":
            self.close_connection = True
            return
        status, content = answer
        told = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (the names are http.server's)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: a test reads what was asked."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Say nothing of clients that end a connection, as each run does with its own."""


def main(folder: Path) -> None:
    """Serve until the input ends."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(ADDRESS).configure_cert(context)
    server = _Server((ADDRESS, 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _say(str(server.server_address[1]))
    for line in sys.stdin:
        _say(_Handler.conversation.change(json.loads(line)))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
