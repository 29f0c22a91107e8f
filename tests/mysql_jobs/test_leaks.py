"""What a run left open is found, and named: a thread, a socket, a timer; and nothing that was there before."""

import os
import re
import select
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mysql_jobs import leaks
from mysql_jobs.leaks import Inventory


@pytest.fixture
def timer() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_socket_is_named_by_its_number_and_a_file_is_none(tmp_path: Path) -> None:
    with socket.socket():
        before = Inventory.take()
        with (tmp_path / "a file").open("w"), socket.socket() as opened:
            [leak] = before.leaked_since()
            assert re.fullmatch(r"socket socket:\[\d+\]", leak)
            several = [opened.dup() for _ in range(3)]
            assert before.leaked_since() == [leak]
            for each in several:
                each.close()
        assert before.leaked_since() == []


def test_a_socket_beyond_the_listings_own_descriptor_is_seen() -> None:
    """The listing takes the lowest number that is free, and can't be read itself."""
    before = Inventory.take()
    first, second = socket.socket(), socket.socket()
    with second:
        first.close()
        assert len(before.leaked_since()) == 1


@pytest.mark.parametrize(
    ("kind", "make"),
    [("anon_inode [eventpoll]", lambda: select.epoll().__enter__()), ("anon_inode [eventfd]", lambda: os.eventfd(0))],
)
def test_one_more_of_a_kind_that_was_there_before_is_seen(kind: str, make: Callable[[], Any]) -> None:
    """All epolls have the same name, and so have all eventfds."""
    there = make()
    before = Inventory.take()
    opened = make()
    assert before.leaked_since() == [kind]
    for each in (there, opened):
        os.close(each) if isinstance(each, int) else each.close()


def test_a_duplicate_of_a_socket_that_was_there_before_is_seen() -> None:
    with socket.socket() as there:
        before = Inventory.take()
        with there.dup():
            [leak] = before.leaked_since()
            assert re.fullmatch(r"socket socket:\[\d+\]", leak)
        assert before.leaked_since() == []


def test_both_ends_of_a_pipe_are_seen() -> None:
    before = Inventory.take()
    ends = os.pipe()
    [leak] = before.leaked_since()
    assert re.fullmatch(r"pipe pipe:\[\d+\]", leak)
    os.close(ends[0])
    assert before.leaked_since() == [leak]
    os.close(ends[1])
    assert before.leaked_since() == []


def test_a_thread_is_named() -> None:
    end = threading.Event()
    before = Inventory.take()
    thread = threading.Thread(target=end.wait, name="of a library")
    thread.start()
    try:
        assert before.leaked_since() == ["thread of a library"]
        assert Inventory.take().leaked_since() == []
    finally:
        end.set()
        thread.join()
    assert before.leaked_since() == []


@pytest.mark.usefixtures("timer")
@pytest.mark.parametrize(("seconds", "interval"), [(60, 0), (60, 1)])
def test_a_timer_is_one_unless_it_was_there_before(seconds: float, interval: float) -> None:
    before = Inventory.take()
    assert not before.timer
    signal.setitimer(signal.ITIMER_REAL, seconds, interval)
    assert before.leaked_since() == ["timer"]
    assert Inventory.take().leaked_since() == []


def test_all_are_named_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Inventory(threads=frozenset(), descriptors=Counter(["socket:[1]"]), timer=False)
    threads = frozenset({threading.Thread(name="b"), threading.Thread(name="a")})
    now = Inventory(threads=threads, descriptors=Counter(["socket:[1]", "socket:[2]"]), timer=True)
    monkeypatch.setattr(Inventory, "take", lambda: now)
    assert before.leaked_since() == ["socket socket:[2]", "thread a", "thread b", "timer"]


def test_where_there_is_no_such_folder_no_socket_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert str(leaks.DESCRIPTORS) == "/proc/self/fd"
    monkeypatch.setattr(leaks, "DESCRIPTORS", tmp_path / "none")
    assert Inventory.take().descriptors == Counter()
