"""What a TLS connection that broke leaves to its thread strikes no other connection of that thread."""

import ssl
from unittest import mock

import pytest

from mysql_jobs.network import forget_tls_errors
from mysql_jobs.session import Session
from tests.mysql_jobs.tls_errors import leave_an_error, waiting


def test_python_takes_what_is_left_for_the_answer_to_the_next_call_on_another_connection() -> None:
    """Should this fail, Python empties the queue itself, and forget_tls_errors can go."""
    other = waiting()
    leave_an_error()
    with pytest.raises(OSError, match=r"(Broken pipe|unknown error)"):
        other.read()


def test_what_is_left_can_be_forgotten() -> None:
    other = waiting()
    leave_an_error()
    forget_tls_errors()
    with pytest.raises(ssl.SSLWantReadError):
        other.read()


@pytest.mark.parametrize("struck", [True, False])
def test_a_session_that_was_cut_leaves_nothing(struck: bool) -> None:
    other = waiting()
    session = Session(host="localhost", defer_connect=True)
    session.opened(mock.Mock(struck=struck), mock.Mock())
    leave_an_error()
    assert session.destroy() != "polite"
    with pytest.raises(ssl.SSLWantReadError):
        other.read()
