"""A connection and its session, call by call: what is asked of it, in which order, and what each answer becomes."""

import re
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pymysql
import pytest
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor, SSCursor

from mysql_jobs import connection as connections
from mysql_jobs.configuration import Database
from mysql_jobs.connection import Connection, Destroyed, OutcomeUnknownError, connect
from mysql_jobs.credentials import Credentials, CredentialsError
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.session import TransactionEndedError
from tests.mysql_jobs.known import Known

DATABASE = Database(
    host="db.example", port=3307, name="jobs", endpoint="instance", region="eu-central-1", certificates="a.pem"
)
PROXY = Database(
    host="db.example", port=3307, name="jobs", endpoint="proxy", region="eu-central-1", certificates="a.pem"
)
LOST = pymysql.err.OperationalError(CR.CR_SERVER_LOST, "lost")


@pytest.fixture
def session() -> Any:
    session = mock.MagicMock(address="10.0.0.1", identity="an identity", struck=False, greeting_seconds=0.001)
    session.run_together.return_value = [()]  # of the mark
    session.thread_id.return_value = 7
    session.destroy.return_value = "polite"
    return session


def _connection(session: Any, database: Database = DATABASE) -> Connection:
    return Connection(session=session, database=database, authentication=Known(), deadline=Deadline(100), attempts=3)


def test_it_is_watched_until_the_deadline_and_killed_then(session: Any) -> None:
    connection = _connection(session)
    assert session.watch.call_args == mock.call(Deadline(100), connection._kill)
    assert connection.attempts == 3


def test_a_session_that_can_not_be_watched_says_goodbye(session: Any) -> None:
    session.watch.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        _connection(session)
    assert session.destroy.call_args_list == [mock.call()]


def test_a_cursor_that_the_job_keeps_can_not_read_afterwards(session: Any) -> None:
    kept: Any = SSCursor(session)
    kept._result = object()
    session.cursor.return_value = kept
    connection = _connection(session)
    assert connection.cursor(SSCursor) is kept
    assert session.cursor.call_args == mock.call(SSCursor)
    connection.destroy()
    assert (vars(kept)["connection"], vars(kept)["_result"]) == (None, None)
    connection.cursor()
    assert session.cursor.call_args == mock.call(Cursor)


def test_it_is_destroyed_once(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([100.0, 100.25])
    monkeypatch.setattr(connections, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    connection = _connection(session)
    connection._killed = "killed"
    ended = connection.destroy()
    assert ended == Destroyed("polite", 0.25, "killed")
    assert connection.destroy() is ended
    assert session.destroy.call_args_list == [mock.call()]


def test_a_kill_that_the_end_waits_for_is_in_the_log_line(session: Any) -> None:
    connection = _connection(session)

    def destroy() -> str:
        connection._killed = "killed"  # by the watchdog's thread
        return "cut"

    session.destroy = destroy
    assert connection.destroy().killed == "killed"


COMMIT, ROLLBACK = "COMMIT AND NO CHAIN NO RELEASE", "ROLLBACK AND NO CHAIN NO RELEASE"
"""Whatever the job has made of `completion_type`, of which CHAIN would begin another, and RELEASE hang up."""


def test_a_transaction_is_marked_and_its_mark_released_before_its_end(session: Any) -> None:
    connection = _connection(session)
    session.run_together.side_effect = lambda statements: [[(number,)] for number, _ in enumerate(statements)]
    assert connection.begin("SELECT 'a'", "SELECT 'b'") == [[(0,)], [(1,)]], "the mark has no rows"
    [mark] = session.run_together.call_args.args[0][2:]
    assert re.fullmatch("SAVEPOINT mysql_jobs_[0-9a-f]{16}", mark)
    connection.commit("INSERT")
    connection.commit()
    assert connection.begin() == []
    connection.commit("UPDATE", "DELETE", go_on=True)
    connection.rollback()
    connection.rollback()
    release = f"RELEASE {mark}"
    sealed = mock.call.seal()
    assert [each for each in session.mock_calls if each[0] in ("run_together", "seal")] == [
        *(mock.call.run_together(["SELECT 'a'", "SELECT 'b'", mark]), sealed),
        mock.call.run_together([release, "INSERT", COMMIT]),
        mock.call.run_together([COMMIT]),
        *(mock.call.run_together([mark]), sealed),
        *(mock.call.run_together([release, "UPDATE", "DELETE", COMMIT, mark]), sealed),
        mock.call.run_together([release, ROLLBACK]),
        mock.call.run_together([ROLLBACK]),
    ]
    assert _connection(session)._savepoint != connection._savepoint


def test_a_transaction_that_did_not_begin_is_not_the_jobs(session: Any) -> None:
    session.run_together.side_effect = LOST
    connection = _connection(session)
    with pytest.raises(pymysql.err.OperationalError):
        connection.begin("SELECT 1")
    assert not session.seal.called
    assert connection._marked is False


GONE = pymysql.err.OperationalError(ER.SP_DOES_NOT_EXIST, "SAVEPOINT does not exist")


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (GONE, TransactionEndedError),
        (pymysql.err.OperationalError(ER.LOCK_DEADLOCK, "deadlock"), pymysql.err.OperationalError),
        (pymysql.err.OperationalError(ER.WRONG_VALUE_FOR_VAR, "NULL"), pymysql.err.OperationalError),
        (LOST, (OutcomeUnknownError, pymysql.err.OperationalError)),
    ],
)
@pytest.mark.parametrize("end", ["commit", "rollback"])
@pytest.mark.parametrize("go_on", [{}, {"go_on": True}])
def test_a_transaction_that_was_not_ended_needs_its_mark_ever_after(
    error: Exception, raised: type[Exception], end: str, go_on: dict[str, bool], session: Any
) -> None:
    """A job may catch the error, go on and return: its second commit must not succeed without what the first lost."""
    connection = _connection(session)
    connection.begin()
    session.seal.reset_mock()
    for _ in range(2):
        session.run_together.side_effect = error
        with pytest.raises(raised):
            getattr(connection, end)(**go_on if end == "commit" else {})
        assert session.run_together.call_args.args[0][0].startswith("RELEASE SAVEPOINT ")
    assert not session.seal.called


def test_an_ended_transaction_shows_nothing_of_the_savepoint(session: Any) -> None:
    connection = _connection(session)
    connection.begin()
    session.run_together.side_effect = GONE
    with pytest.raises(TransactionEndedError) as caught:
        connection.commit()
    assert caught.value.__suppress_context__


def test_after_the_deadline_nothing_is_committed(session: Any) -> None:
    connection = _connection(session)
    session.struck = True
    with pytest.raises(DeadlineExceeded, match="before its work could be committed"):
        connection.commit()
    assert not session.run_together.called


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (pymysql.err.InterfaceError(0, "closed"), True),
        (pymysql.err.OperationalError(1, "refused"), True),
        (pymysql.err.OperationalError(1999, "refused"), True),
        (pymysql.err.OperationalError(3000, "refused"), True),
        (pymysql.err.OperationalError(0, "lost"), False),
        (pymysql.err.OperationalError(2000, "lost"), False),
        (pymysql.err.OperationalError(2999, "lost"), False),
        (pymysql.err.OperationalError(), False),
        (pymysql.err.OperationalError("no number"), False),
        (DeadlineExceeded(7), False),
    ],
    ids=repr,
)
def test_an_outcome_is_known_if_the_server_said_it(error: Exception, known: bool, session: Any) -> None:
    connection = _connection(session)
    session.run_together.side_effect = error
    with pytest.raises(type(error) if known else OutcomeUnknownError) as caught:
        connection.commit()
    assert (caught.value if known else caught.value.__cause__) is error
    assert session.run_together.call_args == mock.call([COMMIT]), "a transaction that was not marked has no mark"


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The session that kills; `opened` is how it was opened."""
    killer = mock.MagicMock()
    killer.opened.return_value = killer
    cursor = killer.cursor.return_value.__enter__.return_value
    cursor.fetchone.return_value = (7,)
    killer.cursor.return_value.__exit__.return_value = None
    monkeypatch.setattr(connections, "open_session", killer.opened)
    return killer


def test_at_the_deadline_the_session_is_killed_where_it_is(session: Any, killer: Any) -> None:
    connection = _connection(session)
    connection._kill()
    assert connection.destroy().killed == "killed"
    asked = killer.opened.call_args.kwargs
    assert asked == {
        "address": "10.0.0.1",
        "database": DATABASE,
        "credentials": Credentials("jobs", "password"),
        "program_name": "kill at the deadline",
        "deadline": mock.ANY,
        "run_deadline": None,
        "greeting_seconds": 0.04,
    }
    assert 0 < asked["deadline"].remaining() <= 1
    cursor = killer.cursor.return_value.__enter__.return_value
    assert cursor.execute.call_args_list == [
        mock.call("SELECT IS_USED_LOCK(%s)", ("an identity",)),
        mock.call("KILL CONNECTION 7"),
    ]
    assert killer.destroy.call_args_list == [mock.call()]


@pytest.mark.parametrize(("greeting", "limit"), [(0.0, 0.04), (0.002, 0.04), (0.003, 0.06), (0.5, 10.0)])
def test_the_server_may_take_twenty_times_as_long_to_greet_as_it_did_before(
    greeting: float, limit: float, session: Any, killer: Any
) -> None:
    """One that is silent for longer is frozen, or out of reach: there is nothing to wait for."""
    session.greeting_seconds = greeting
    _connection(session)._kill()
    assert killer.opened.call_args.kwargs["greeting_seconds"] == pytest.approx(limit)


@pytest.mark.parametrize("holder", [None, 8])
def test_a_session_of_the_same_number_that_is_not_ours_is_left_alone(
    holder: int | None, session: Any, killer: Any
) -> None:
    cursor = killer.cursor.return_value.__enter__.return_value
    cursor.fetchone.return_value = (holder,)
    connection = _connection(session)
    connection._kill()
    assert connection._killed == "already gone"
    assert len(cursor.execute.call_args_list) == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (pymysql.err.OperationalError(ER.NO_SUCH_THREAD, "Unknown thread id"), "already gone"),
        (LOST, f"failed: {LOST}"),
        (DeadlineExceeded("too late"), "failed: too late"),
    ],
)
def test_a_kill_that_fails_is_said_and_its_own_session_ended(
    error: Exception, said: str, session: Any, killer: Any
) -> None:
    killer.cursor.return_value.__enter__.return_value.execute.side_effect = error
    connection = _connection(session)
    connection._kill()
    assert connection._killed == said
    assert killer.destroy.call_args_list == [mock.call()]


def test_a_killer_that_can_not_connect_is_said(session: Any, killer: Any) -> None:
    killer.opened.side_effect = LOST
    connection = _connection(session)
    connection._kill()
    assert connection._killed == f"failed: {LOST}"
    assert not killer.cursor.called


def test_through_a_proxy_nothing_is_killed(session: Any, killer: Any) -> None:
    connection = _connection(session, PROXY)
    connection._kill()
    assert connection._killed == "not through a proxy"
    assert not killer.opened.called
    assert connection.kill(9) is False
    assert not session.cursor.called


@pytest.mark.parametrize("error", [None, pymysql.err.OperationalError(ER.NO_SUCH_THREAD, "Unknown thread id")])
def test_another_session_is_killed_by_its_number_or_is_gone_already(error: Exception | None, session: Any) -> None:
    execute = session.cursor.return_value.__enter__.return_value.execute
    session.cursor.return_value.__exit__.return_value = None
    execute.side_effect = error
    assert _connection(session).kill(9) is True
    assert execute.call_args_list == [mock.call("KILL CONNECTION 9")]


def test_a_session_of_another_user_can_not_be_killed(session: Any) -> None:
    session.cursor.return_value.__exit__.return_value = None
    session.cursor.return_value.__enter__.return_value.execute.side_effect = pymysql.err.OperationalError(
        ER.KILL_DENIED_ERROR, "not owner"
    )
    assert _connection(session).kill(9) is False


def test_a_pause_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(connections, "time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(connections, "random", SimpleNamespace(uniform=lambda _shortest, _longest: 0.25))
    connections._back_off([LOST], Deadline.after(20))
    assert slept == [0.25]


@pytest.mark.parametrize("failures", [[], [CredentialsError("throttled", transient=True)], [LOST, LOST]])
def test_what_is_connected_is_the_database_within_the_runs_deadline(
    failures: list[Exception], session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = mock.Mock(side_effect=[*failures, session])
    monkeypatch.setattr(connections, "open_session", opened)
    monkeypatch.setattr(connections, "random", SimpleNamespace(uniform=lambda _shortest, _longest: 0.0))
    deadline = Deadline.after(100)
    authentication = Known()
    connection = connect(database=DATABASE, authentication=authentication, deadline=deadline, program_name="job one")
    assert connection.attempts == len(failures) + 1
    assert (connection._session, connection._database) == (session, DATABASE)
    assert connection._authentication is authentication
    assert session.watch.call_args == mock.call(deadline, connection._kill)
    asked = dict(opened.call_args.kwargs)
    limit = asked.pop("deadline")
    assert round(limit.remaining()) == 5 * 2 ** len(failures)
    assert asked == {
        "address": "db.example",
        "database": DATABASE,
        "credentials": Credentials("jobs", "password"),
        "program_name": "job one",
        "run_deadline": deadline,
    }
