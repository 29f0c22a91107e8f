"""A peer with TLS, and what a run may reach it by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from lab.fault_web import Behaviour, Peer, trusted
from mysql_jobs import network
from mysql_jobs.deadline import Deadline
from mysql_jobs.outside.outside import Outside
from mysql_jobs.outside.stated import Stated

NewPeer = Callable[..., Peer]
NewOutside = Callable[..., Outside]


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(autouse=True)
def _trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The peer's authority is the system's only one; and what Lambda sets is set."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted(authority, tmp_path)))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of nobody")
    for name in ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    network.public_tls.cache_clear()
    yield
    network.public_tls.cache_clear()


@pytest.fixture
def peer(authority: trustme.CA) -> Iterator[NewPeer]:
    """Makes peers, with what they do to each connection."""
    with ExitStack() as stack:

        def new_peer(*behaviours: Behaviour, text: bytes = b"hello") -> Peer:
            return stack.enter_context(Peer(authority, behaviours, text))

        yield new_peer


@pytest.fixture
def outside() -> Iterator[NewOutside]:
    """Makes what a run may reach: these destinations, S3, and a secret."""
    with ExitStack() as stack:

        def new_outside(*internet: str, seconds: float = 20) -> Outside:
            stated = Stated(frozenset({"s3"}), frozenset({"billing-api"}), frozenset(internet))
            made = Outside(stated=stated, deadline=Deadline.after(seconds))
            stack.callback(made.destroy)
            return made

        yield new_outside
