"""run.http: every wait ends by the deadline, only what may be repeated is, and nothing is left when the run ends."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from typing import Any
from unittest import mock

import pytest
import trustme
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError

from lab.fault_web import Behaviour, Peer
from mysql_jobs.deadline import DeadlineExceeded
from mysql_jobs.leaks import Inventory
from mysql_jobs.network import open_socket
from mysql_jobs.outside.stated import UsesError
from tests.mysql_jobs.outside.conftest import NewOutside, NewPeer
from tests.mysql_jobs.tls_errors import leave_an_error

HANG_SECONDS = 15
"""A generous bound: without the deadline, these would wait for a minute or for ever."""
FOR_EVER: tuple[Behaviour, ...] = (
    "silence at TLS",
    "drips at TLS",
    "silence",
    "answer by drips",
    "deaf",
)
ONCE: tuple[Behaviour, ...] = (
    "silence at TLS",
    "drips at TLS",
    "reset at TLS",
    "close at TLS",
    "silence",
    "reset",
    "close",
)


def test_it_is_urllib3s_pool_manager(peer: NewPeer, outside: NewOutside) -> None:
    server = peer("answer")
    http = outside(server.where).http
    for body in ({"a": 1}, {"a": 2}):
        answer = http.request("POST", f"{server.url}/bills?x=1", json=body, headers={"Idempotency-Key": "k"})
        assert (answer.status, answer.data) == (200, b"hello")
    assert [(each.method, each.path, each.body) for each in server.requests] == [
        ("POST", "/bills?x=1", b'{"a":1}'),
        ("POST", "/bills?x=1", b'{"a":2}'),
    ]
    assert server.requests[0].headers["idempotency-key"] == "k"
    assert server.connections == 1  # the second request goes by the same


def test_what_another_connection_that_broke_has_left_to_the_thread_strikes_no_request(
    peer: NewPeer, outside: NewOutside
) -> None:
    server = peer("answer")
    http = outside(server.where).http
    assert http.request("GET", f"{server.url}/one").status == 200
    leave_an_error()
    assert http.request("POST", f"{server.url}/two").status == 200  # which nothing repeats
    assert server.connections == 1


@pytest.mark.parametrize("behaviour", FOR_EVER)
def test_no_peer_holds_a_run_past_its_deadline(
    behaviour: Behaviour, authority: trustme.CA, outside: NewOutside
) -> None:
    before, started = Inventory.take(), time.monotonic()
    with Peer(authority, (behaviour,)) as server:
        run = outside(server.where, seconds=1)
        with pytest.raises((DeadlineExceeded, MaxRetryError)) as caught:
            run.http.request("PUT", f"{server.url}/x", body=b"x" * 50_000_000 if behaviour == "deaf" else b"x")
        assert time.monotonic() - started < HANG_SECONDS
        assert server.where in str(caught.value)
        run.destroy()
    assert before.leaked_since() == []


def test_a_black_hole_holds_no_run_past_its_deadline(authority: trustme.CA, outside: NewOutside) -> None:
    with Peer(authority, ("black hole",)) as nobody:
        before, started = Inventory.take(), time.monotonic()
        run = outside(nobody.where, seconds=1)
        with pytest.raises(MaxRetryError, match=f"can't connect to {nobody.where}: timed out"):
            run.http.request("GET", nobody.url)
        assert time.monotonic() - started < HANG_SECONDS
        run.destroy()
        assert before.leaked_since() == []


@pytest.mark.parametrize("behaviour", ONCE)
def test_what_may_be_asked_twice_is_tried_again(behaviour: Behaviour, peer: NewPeer, outside: NewOutside) -> None:
    server = peer(behaviour, "answer")
    assert outside(server.where, seconds=6).http.request("GET", server.url).data == b"hello"
    assert server.connections == 2


@pytest.mark.parametrize("behaviour", ["silence at TLS", "reset at TLS", "close at TLS"])
def test_a_post_that_did_not_reach_the_peer_is_tried_again(
    behaviour: Behaviour, peer: NewPeer, outside: NewOutside
) -> None:
    server = peer(behaviour, "answer")
    assert outside(server.where, seconds=6).http.request("POST", server.url, body=b"x").data == b"hello"
    assert len(server.requests) == 1


@pytest.mark.parametrize("behaviour", ["silence", "reset", "close"])
def test_a_post_that_may_have_arrived_is_never_sent_again(
    behaviour: Behaviour, peer: NewPeer, outside: NewOutside
) -> None:
    server = peer(behaviour, "answer")
    with pytest.raises((HTTPError, DeadlineExceeded)):
        outside(server.where, seconds=2).http.request("POST", server.url, body=b"x")
    assert len(server.requests) == 1


def test_a_refused_connection_is_tried_again_and_named(outside: NewOutside) -> None:
    with socket.socket() as bound:  # not listening
        bound.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(MaxRetryError, match=f"can't connect to {where}: .*refused"):
            outside(where).http.request("POST", f"https://{where}/")


def test_a_status_is_the_jobs_to_judge_and_a_redirect_is_not_followed(peer: NewPeer, outside: NewOutside) -> None:
    for behaviour, status in (("refuse", 503), ("redirect", 302)):
        server = peer(behaviour)
        assert outside(server.where).http.request("GET", server.url).status == status
        assert len(server.requests) == 1


@pytest.mark.parametrize("where", ["127.0.0.1:{other}", "other.example:443"])
def test_a_host_that_is_not_stated_is_refused_before_its_name_is_asked_for(
    where: str, peer: NewPeer, outside: NewOutside
) -> None:
    server, other = peer("answer"), peer("answer")
    where = where.format(other=other.port)
    with pytest.raises(UsesError, match=f'USES names no destination {where}: write {{"internet": \\("{where}",\\)}}'):
        outside(server.where).http.request("GET", f"https://{where}/")
    assert other.connections == 0


def test_where_aws_is_a_stand_in_on_this_machine_nobody_else_is_called(
    outside: NewOutside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    with pytest.raises(UsesError, match=r"is a stand-in on this machine: api\.example:443 is not called from it"):
        outside("api.example:443").http.request("POST", "https://api.example/bills")


def test_plain_text_is_refused_but_on_this_machine(outside: NewOutside) -> None:
    with pytest.raises(UsesError, match=r"http://api\.example is plain text: write https"):
        outside("api.example:80").http.request("GET", "http://api.example/")


def test_a_certificate_of_an_unknown_authority_is_refused_at_once(outside: NewOutside) -> None:
    with Peer(trustme.CA(), ("answer",)) as server:
        with pytest.raises(MaxRetryError, match="CERTIFICATE_VERIFY_FAILED"):
            outside(server.where).http.request("POST", server.url)
        assert (server.connections, server.requests) == (1, [])


def test_a_certificate_of_another_host_is_refused(outside: NewOutside, peer: NewPeer, monkeypatch: Any) -> None:
    server = peer("answer")
    monkeypatch.setattr("mysql_jobs.network.resolve", lambda _name, _deadline: ["127.0.0.1"])
    with pytest.raises(MaxRetryError, match=r"[Hh]ostname mismatch|not valid for"):
        outside(f"other.example:{server.port}").http.request("POST", f"https://other.example:{server.port}/")
    assert server.requests == []


def test_a_thousand_closed_connections_leave_no_more_than_one(peer: NewPeer, outside: NewOutside) -> None:
    server = peer("answer and close")
    run = outside(server.where, seconds=120)
    run.http.request("GET", server.url)
    watchdogs, descriptors = _watchdogs(), _descriptors()
    for _ in range(1000):
        run.http.request("GET", server.url)
    assert _watchdogs() <= watchdogs
    assert _descriptors() < descriptors + 20  # of the peer's, which may be closing
    assert server.connections == 1001


def test_answers_that_a_job_begins_to_read_and_drops_do_not_pile_up(peer: NewPeer, outside: NewOutside) -> None:
    server = peer("answer half")
    run = outside(server.where, seconds=120)
    watchdogs = _watchdogs()
    for _ in range(30):
        run.http.request("GET", server.url, preload_content=False).read(2)
    assert _watchdogs() <= watchdogs + 2


def test_whatever_the_job_keeps_the_descriptors_are_gone(authority: trustme.CA, outside: NewOutside) -> None:
    before = Inventory.take()
    with (
        Peer(authority, ("answer and close",)) as closing,
        Peer(authority, ("answer half",)) as half,
        Peer(authority, ("answer",)) as other,
    ):
        run = outside(closing.where, half.where, other.where)
        kept: list[Any] = [
            run.http.request("GET", closing.url, preload_content=False),
            run.http.request("GET", half.url, preload_content=False),
            run.http.request("GET", other.url),
            run.http,
            run.http.connection_from_url(other.url),
        ]
        kept[1].read(3)
        run.destroy()
    assert before.leaked_since() == []
    with pytest.raises((HTTPError, OSError, ValueError)):
        kept[1].read()


def test_an_answer_that_was_kept_reads_nothing_of_what_gets_its_number_next(peer: NewPeer, outside: NewOutside) -> None:
    """The next run's database connection, for one: OpenSSL would go on to read from the number."""
    server = peer("answer half")
    run = outside(server.where)
    kept: Any = run.http.request("GET", server.url, preload_content=False)
    number = kept.connection.sock.fileno()
    kept.read(3)
    run.destroy()
    made, theirs = socket.socketpair()
    if (descriptor := made.detach()) != number:
        os.dup2(descriptor, number)
        os.close(descriptor)
    with theirs, socket.socket(fileno=number) as ours:
        record = b"\x17\x03\x03\x00\x0fof the next run"
        theirs.sendall(record)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises((HTTPError, OSError)):
            kept.read()
        assert ours.recv(100) == record


def test_an_answer_that_is_still_read_outlives_a_failed_connection_to_the_same_peer(
    peer: NewPeer, outside: NewOutside, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = peer("answer and close", text=b"x" * 300_000)
    http = outside(server.where).http
    answer: Any = http.request("GET", server.url, preload_content=False)
    answer.release_conn()  # so that the next request connects the same one anew
    monkeypatch.setattr("mysql_jobs.outside.sockets.open_socket", mock.Mock(side_effect=ConnectionRefusedError))
    with pytest.raises(HTTPError):
        http.request("GET", server.url, retries=False)
    assert len(answer.read()) == 300_000


def test_a_client_that_was_kept_is_refused_in_the_next_run(peer: NewPeer, outside: NewOutside) -> None:
    server = peer("answer")
    run = outside(server.where)
    kept = run.http
    kept.request("GET", server.url)
    run.destroy()
    with pytest.raises(UsesError, match="the run that this was made for has ended; ask for it anew in each run"):
        kept.request("GET", server.url)
    assert outside(server.where).http.request("GET", server.url).status == 200
    assert len(server.requests) == 2


def test_where_it_connected_to_is_known_at_the_end(peer: NewPeer, outside: NewOutside) -> None:
    one, other = peer("answer and close"), peer("answer")
    run = outside(one.where, other.where, "never.example:443")
    for server in (one, one, other):
        run.http.request("GET", server.url)
    assert run.destroy().places == (one.where, other.where)


def test_a_body_cut_by_the_deadline_is_no_whole_one(peer: NewPeer, outside: NewOutside) -> None:
    server = peer("answer half")
    answer = outside(server.where, seconds=1).http.request("GET", server.url, preload_content=False)
    with pytest.raises((ProtocolError, HTTPError)):
        answer.read()


def test_headers_cut_by_the_deadline_are_no_answer(peer: NewPeer, outside: NewOutside) -> None:
    """http.client takes headers that end with the connection for whole ones, here of an empty body."""
    server = peer("answer by drips")
    with pytest.raises(DeadlineExceeded, match=f"time was used up while it waited for {server.where}"):
        outside(server.where, seconds=4.1).http.request("POST", server.url)


@pytest.mark.parametrize("behaviour", ["silence at TLS", "drips at TLS"])
def test_an_attempt_that_took_too_long_says_so(behaviour: Behaviour, peer: NewPeer, outside: NewOutside) -> None:
    server = peer(behaviour)
    with pytest.raises(MaxRetryError, match=f"can't connect to {server.where}: TLS took too long"):
        outside(server.where, seconds=1).http.request("GET", server.url)


def _watchdogs() -> int:
    return sum(thread.name == "watchdog" for thread in threading.enumerate())


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_connection_that_a_thread_makes_while_the_run_ends_is_closed(
    authority: trustme.CA, outside: NewOutside, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Inventory.take()
    with Peer(authority, ("answer",)) as server:
        run = outside(server.where)

        def connected_too_late(*arguments: Any) -> Any:
            made = open_socket(*arguments)
            run.destroy()
            return made

        monkeypatch.setattr("mysql_jobs.outside.sockets.open_socket", connected_too_late)
        with pytest.raises(UsesError, match="has ended"):
            run.http.request("GET", server.url)
    assert before.leaked_since() == []


@pytest.mark.parametrize("behaviour", ["silence at TLS", "answer"])
def test_tls_that_a_thread_is_about_to_make_ends_with_the_run(
    behaviour: Behaviour, authority: trustme.CA, outside: NewOutside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the peer is silent, so that nothing else would end it, or the thread has just come through."""
    before, failed = Inventory.take(), []
    with Peer(authority, (behaviour,)) as server:
        run = outside(server.where, seconds=100)
        half_made = threading.Event()

        def ask() -> None:
            with pytest.raises(UsesError, match="has ended"):
                run.http.request("GET", server.url)
            failed.append(True)

        def wrapped(context: ssl.SSLContext, *arguments: Any, **options: Any) -> Any:
            if behaviour == "silence at TLS":
                half_made.set()
                return wrap(context, *arguments, **options)
            made = wrap(context, *arguments, **options)
            half_made.set()
            over.wait()
            return made

        wrap, over = ssl.SSLContext.wrap_socket, threading.Event()
        monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrapped)
        thread = threading.Thread(target=ask)
        thread.start()
        half_made.wait()
        time.sleep(0.1)  # now it waits for the peer
        run.destroy()
        over.set()
        thread.join(HANG_SECONDS)
        assert failed == [True]
    assert before.leaked_since() == []


def test_a_descriptor_that_the_job_has_closed_by_its_number_fails_no_run(peer: NewPeer, outside: NewOutside) -> None:
    server = peer("answer half")
    run = outside(server.where)
    answer: Any = run.http.request("GET", server.url, preload_content=False)
    os.close(answer.connection.sock.fileno())
    run.destroy()
