"""A connection and its session, call by call: what is asked of it, in which order, and what each answer becomes."""

import re
from pathlib import Path
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
    host="db.example", port=3307, name="jobs", endpoint="instance", region="eu-central-1", certificates=Path("a.pem")
)
PROXY = Database(
    host="db.example", port=3307, name="jobs", endpoint="proxy", region="eu-central-1", certificates=Path("a.pem")
)
LOST = pymysql.err.OperationalError(CR.CR_SERVER_LOST, "lost")


@pytest.fixture
def session() -> Any:
    session = mock.MagicMock(address="10.0.0.1", identity="an identity")
    session.watch.return_value = mock.Mock(struck=False)
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
    assert session.destroy.call_args_list == [mock.call(cut=False)]


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


@pytest.mark.parametrize("struck", [False, True])
def test_it_is_destroyed_once_and_cut_if_the_deadline_has_come(
    struck: bool, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([100.0, 100.25])
    monkeypatch.setattr(connections, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    connection = _connection(session)
    session.watch.return_value.struck = struck
    connection._killed = "killed" if struck else ""
    ended = connection.destroy()
    assert ended == Destroyed("polite", 0.25, "killed" if struck else "")
    assert connection.destroy() is ended
    watched = [each for each in session.mock_calls if "destroy" in each[0] or "dismiss" in each[0]]
    assert watched == [mock.call.watch().dismiss(), mock.call.destroy(cut=struck)]


def test_a_transaction_is_marked_and_its_mark_released_before_its_end(session: Any) -> None:
    connection = _connection(session)
    order = mock.Mock()
    session.begin_transaction = order.begin
    session.end_transaction = order.end
    session.cursor.return_value.__enter__.return_value.execute = order.execute
    connection.begin()
    [mark] = order.begin.call_args.args
    assert re.fullmatch("mysql_jobs_[0-9a-f]{16}", mark)
    connection.commit(order.last)
    connection.commit()
    connection.begin()
    connection.rollback()
    connection.rollback()
    released = mock.call.execute(f"RELEASE SAVEPOINT {mark}")
    assert order.mock_calls == [
        *(mock.call.begin(mark), released, mock.call.last(), mock.call.end("COMMIT")),
        mock.call.end("COMMIT"),
        *(mock.call.begin(mark), released, mock.call.end("ROLLBACK")),
        mock.call.end("ROLLBACK"),
    ]
    assert _connection(session)._savepoint != mark


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (pymysql.err.OperationalError(ER.SP_DOES_NOT_EXIST, "SAVEPOINT does not exist"), TransactionEndedError),
        (pymysql.err.OperationalError(ER.LOCK_DEADLOCK, "deadlock"), pymysql.err.OperationalError),
        (LOST, pymysql.err.OperationalError),
    ],
)
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_without_its_mark_a_transaction_is_not_ended(
    error: Exception, raised: type[Exception], end: str, session: Any
) -> None:
    connection = _connection(session)
    connection.begin()
    session.cursor.return_value.__enter__.return_value.execute.side_effect = error
    session.cursor.return_value.__exit__.return_value = None
    with pytest.raises(raised):
        getattr(connection, end)()
    assert not session.end_transaction.called
    assert connection._marked is False


def test_after_the_deadline_nothing_is_committed(session: Any) -> None:
    connection = _connection(session)
    session.watch.return_value.struck = True
    with pytest.raises(DeadlineExceeded, match="before its work could be committed"):
        connection.commit()
    assert not session.end_transaction.called


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
    session.end_transaction.side_effect = error
    with pytest.raises(type(error) if known else OutcomeUnknownError) as caught:
        connection.commit()
    assert (caught.value if known else caught.value.__cause__) is error
    assert not session.cursor.called, "a transaction that was not marked has no mark"


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The session that kills; `opened` is how it was opened."""
    killer = mock.MagicMock()
    killer.watch.return_value = mock.Mock(struck=False)
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
    }
    assert 0 < asked["deadline"].remaining() <= 1
    assert killer.watch.call_args == mock.call(asked["deadline"])
    cursor = killer.cursor.return_value.__enter__.return_value
    assert cursor.execute.call_args_list == [
        mock.call("SELECT IS_USED_LOCK(%s)", ("an identity",)),
        mock.call("KILL CONNECTION 7"),
    ]
    assert killer.watch.return_value.dismiss.called
    assert killer.destroy.call_args_list == [mock.call(cut=False)]


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
@pytest.mark.parametrize("struck", [False, True])
def test_a_kill_that_fails_is_said_and_its_own_session_ended(
    error: Exception, said: str, struck: bool, session: Any, killer: Any
) -> None:
    killer.cursor.return_value.__enter__.return_value.execute.side_effect = error
    killer.watch.return_value.struck = struck
    connection = _connection(session)
    connection._kill()
    assert connection._killed == said
    assert killer.watch.return_value.dismiss.called
    assert killer.destroy.call_args_list == [mock.call(cut=struck)]


def test_a_killer_that_can_not_connect_is_said(session: Any, killer: Any) -> None:
    killer.opened.side_effect = LOST
    connection = _connection(session)
    connection._kill()
    assert connection._killed == f"failed: {LOST}"
    assert not killer.watch.called


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


def test_a_session_that_may_not_be_killed_is_an_error(session: Any) -> None:
    session.cursor.return_value.__exit__.return_value = None
    session.cursor.return_value.__enter__.return_value.execute.side_effect = pymysql.err.OperationalError(
        ER.KILL_DENIED_ERROR, "not owner"
    )
    with pytest.raises(pymysql.err.OperationalError, match="not owner"):
        _connection(session).kill(9)


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
