"""A stand-in for an API of the internet that jobs call in their tests: https, on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from testkit import web_server

Answer = tuple[int, Any] | Literal["closes", "hangs"]
"""A status, and what is sent as JSON; or no answer: the connection is closed, or nothing comes until the test ends."""


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


class WebApi:
    """The stand-in: what it was asked, and what it answers.

    Attributes:
        host: with its port: what the job's USES has to name.
        authority: the certificate that it is verified with, in a file.
    """

    def __init__(self, *, host: str, authority: Path, told: IO[str], says: IO[str]) -> None:
        """Take the server's standard input and output."""
        self.host = host
        self.authority = authority
        self._told, self._says = told, says
        self.answers = [(200, {})]

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://{self.host}"

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What it was told to answer: one for each request, the last one for all that follow.

        To fail twice: `web_api.answers = [(503, {})] * 2 + [(200, {})]`.
        """
        return self._answers

    @answers.setter
    def answers(self, answers: Sequence[Answer]) -> None:
        if not answers:
            raise ValueError('web_api.answers is empty: write what it answers, like [(200, {"number": "b-1"})]')
        self._answers = tuple(answers)
        self._tell(self._answers)

    @property
    def asked(self) -> list[Asked]:
        """The requests that came, in order."""
        return [Asked(method, path, headers, body.encode("latin-1")) for method, path, headers, body in self._tell()]

    def _tell(self, answers: Sequence[Answer] | None = None) -> list[Any]:
        """Have it answer so from now on, if that is anything; return what was asked."""
        self._told.write(f"{json.dumps(answers)}\n")
        self._told.flush()
        asked: list[Any] = json.loads(self._says.readline())
        return asked


@contextmanager
def serving(folder: Path) -> Iterator[WebApi]:
    """Within, the stand-in answers; `folder` has its authority's certificate."""
    program = [sys.executable, "-P", web_server.__file__, str(folder)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        if server.stdin is None or server.stdout is None:
            raise AssertionError("both are pipes")
        host = f"{web_server.ADDRESS}:{int(server.stdout.readline())}"
        yield WebApi(host=host, authority=folder / "authority.pem", told=server.stdin, says=server.stdout)
