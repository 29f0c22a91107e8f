"""The incident, ten times as fast: what the lab and docs/why-destroy.md say of it must stay true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pymysql
import pytest

from lab import incident, incident_rate, mariadb_installation, node_installations
from lab.incident import AWAITED, CURE, INCIDENT, KEPT, MYSQL2, NEAR, SHORT
from lab.incident_bench import ROOT, Outcome, Situation
from lab.mariadb_server import MariaDBServer
from local import processes

pytestmark = pytest.mark.integration

SITUATIONS = (INCIDENT, INCIDENT, INCIDENT, CURE, NEAR, SHORT, AWAITED, MYSQL2, KEPT)
KILLED = "Uncaught Exception: Quit inactivity timeout (PROTOCOL_SEQUENCE_TIMEOUT)"
Outcomes = Mapping[Situation, Sequence[Outcome]]


@contextmanager
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDBServer]:
    installation = mariadb_installation.find_or_fetch(ROOT / ".cache", progress=print)
    with MariaDBServer.start(installation, tmp_path_factory.mktemp("mariadb"), progress=print) as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDBServer]:
    """As it starts, with no function's user."""
    with started(tmp_path_factory) as server:
        yield server


@pytest.fixture(scope="module")
def functions_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDBServer]:
    with started(tmp_path_factory) as server:
        yield server


@pytest.fixture(scope="module")
def outcomes(functions_server: MariaDBServer, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("functions")
    return incident.reproduce(functions_server, folder, SITUATIONS, environments=1, fast=True, progress=print)


def test_a_handler_that_awaits_end_kills_the_next_run(outcomes: Outcomes) -> None:
    killed = [each for each in outcomes[INCIDENT] if each.error]
    assert killed, "none was killed: either it was cured, or this machine is too busy to freeze a process in time"
    for each in killed:
        assert each.error == KILLED
        assert any("Quit._onTimeout (node_modules/mysql/" in line for line in each.stack)


def test_no_run_is_chosen_for_the_rate_and_an_error_is_posted_for_the_run_before(
    functions_server: MariaDBServer, tmp_path: Path
) -> None:
    versions = {"its version": node_installations.OWN}
    with incident_rate.Frozen(functions_server, versions, tmp_path, fast=True, progress=print) as frozen:
        rates = frozen.thaw()
    assert [(each.round_trip_seconds, each.environments) for each in rates] == [(0, 4), (0.005, 4)]
    assert all((each.refused, each.began) == (each.died, 0) for each in rates)
    logs = list(tmp_path.glob("rate_*.log"))
    lived = 8 - sum(each.died for each in rates)
    assert sum(log.read_text().count(incident_rate.BEGINS) for log in logs) == 8 * incident_rate.RUNS + lived


def test_one_that_destroys_leaves_nothing_and_kills_nothing(outcomes: Outcomes) -> None:
    assert [(each.socket_left, each.held, each.error) for each in outcomes[CURE]] == [(False, 0, "")]


def test_the_answer_must_come_after_the_freeze(outcomes: Outcomes) -> None:
    assert [(each.socket_left, each.error) for each in outcomes[NEAR]] == [(False, "")]


def test_the_freeze_must_be_longer_than_the_timer(outcomes: Outcomes) -> None:
    assert [(each.socket_left, each.error) for each in outcomes[SHORT]] == [(True, "")]


def test_a_handler_that_waits_for_end_leaves_nothing_and_kills_nothing(outcomes: Outcomes) -> None:
    assert [(each.socket_left, each.held, each.error) for each in outcomes[AWAITED]] == [(False, 0, "")]


def test_mysql2_leaves_a_socket_and_no_timer(outcomes: Outcomes) -> None:
    assert [(each.socket_left, each.held, each.error) for each in outcomes[MYSQL2]] == [(True, 0, "")]


def test_serverless_mysql_holds_a_connection_while_frozen(outcomes: Outcomes) -> None:
    assert [(each.held, each.error) for each in outcomes[KEPT]] == [(1, "")]


def test_the_process_that_follows_works(outcomes: Outcomes) -> None:
    assert {each.error_after for each in outcomes[INCIDENT]} == {""}


def test_the_timer_fires_though_the_answer_lay_in_the_kernel(outcomes: Outcomes) -> None:
    outcome = next(each for each in outcomes[INCIDENT] if each.error)
    events = incident.timeline(INCIDENT, outcome, fast=True).events
    order = ("COM_QUIT", "FIN lies", "its timer is due", "thaws", "the timer fires")
    moments = [next(event.seconds for event in events if text in event.text) for text in order]
    assert all(earlier < later for earlier, later in pairwise(moments))


def test_a_row_of_the_table_says_what_happened_and_that_it_was_scaled(outcomes: Outcomes) -> None:
    row = incident.observation(INCIDENT, outcomes[INCIDENT], fast=True)
    assert KILLED in row.next_run
    assert row.situation == "frozen for 35 s, round trip 2 ms; freeze and mysqljs' timer divided by 10"
    assert (row.held, row.still_running, row.repeats) == (0, 0, "")


# Its server


def test_the_server_listens_on_127_0_0_1_and_nowhere_else(server: MariaDBServer) -> None:
    assert processes.listening(server.pid) == {f"127.0.0.1:{server.port}"}


def test_nobody_but_the_administrator_can_log_in(server: MariaDBServer) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT user FROM mysql.user")
        assert {user for (user,) in cursor.fetchall()} == {server.user, "mariadb.sys"}
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        pymysql.connect(host=server.host, port=server.port, user="root")


def test_a_users_connections_are_counted(server: MariaDBServer) -> None:
    counted = replace(server, user="counted", password=server.create_user("counted"))
    with counted.connect(), counted.connect():
        assert (server.open_connections("counted"), server.running_statements("counted")) == (2, 0)


def test_the_password_is_neither_shown_nor_left_behind(server: MariaDBServer) -> None:
    assert server.password not in repr(server)
    files = [file for file in server.folder.iterdir() if file.is_file()]
    assert not [file.name for file in files if server.password in file.read_text()]
