"""How long a migration takes on many rows, and what a writer notices of it."""

import io
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pymysql
import pytest
from pymysql.cursors import Cursor
from rich.console import Console

from local.mysql_server import MySQLServer
from mysql_jobs.migration_files import Migration
from rehearsal.many_rows import fill_with_many
from rehearsal.measure import SCHEMA, WIDTH, Measured, _chosen, measure, plot, show
from settings.project import ROOT

ALL_TYPES = """CREATE TABLE every_type (
    a BIGINT AUTO_INCREMENT PRIMARY KEY, b TINYINT, c DECIMAL(6, 2) UNSIGNED, d DOUBLE, e BIT(3), f CHAR(3),
    g VARCHAR(40), h VARBINARY(9), i DATE, j DATETIME(6), k TIMESTAMP NULL, l TIME, m YEAR, n ENUM('x', 'y'),
    o SET('x', 'y'), p JSON, q TEXT, r BLOB, s INT AS (b + 1) STORED, UNIQUE (g), UNIQUE (j))"""


@pytest.fixture
def cursor(server: MySQLServer) -> Iterator[Cursor]:
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE many_rows")
        cursor.execute("USE many_rows")
        yield cursor
        cursor.execute("DROP DATABASE many_rows")


def _migration(number: int, *statements: str) -> Migration:
    return Migration(origin="project", number=number, name=f"{number:04}_it", statements=statements)


def test_a_table_of_any_types_gets_as_many_rows_as_were_asked_for(cursor: Cursor) -> None:
    cursor.execute(ALL_TYPES)
    fill_with_many(cursor, "every_type", 1234)
    cursor.execute("SELECT COUNT(*), COUNT(DISTINCT g), COUNT(DISTINCT n) FROM every_type")
    assert cursor.fetchone() == (1234, 1234, 2)


def test_a_writer_of_each_table_is_watched_while_each_statement_runs(server: MySQLServer) -> None:
    said: list[str] = []
    before = [_migration(1, "CREATE TABLE sale (id INT PRIMARY KEY, n INT)", "CREATE TABLE odd (n INT, CHECK (n < 0))")]
    change = _migration(2, "ALTER TABLE sale MODIFY n BIGINT", "DROP TABLE sale")
    try:
        results = measure(server, before, change, 20_000, said.append)
    finally:
        with closing(server.connect()) as connection:
            connection.query(f"DROP DATABASE {SCHEMA}")
    assert [each.statement for each in results] == list(change.statements)
    assert all(each.seconds > 0 and each.waits for each in results)
    assert any("odd takes no ordinary rows" in each for each in said)
    text = io.StringIO()
    show(Console(file=text, width=100), results, 20_000)
    assert "20,000 rows in each table" in text.getvalue()
    assert "MODIFY n BIGINT" in text.getvalue()


def test_a_statement_that_fails_ends_its_writers(server: MySQLServer) -> None:
    with pytest.raises(pymysql.MySQLError, match="nowhere"):
        measure(server, [], _migration(1, "DROP TABLE nowhere"), 10, lambda _text: None)
    with closing(server.connect()) as connection:
        connection.query(f"DROP DATABASE {SCHEMA}")


def test_the_plot_shows_when_a_writer_came_who_had_to_wait() -> None:
    measured = Measured(statement="ALTER", seconds=10.0, waits=[(0.1, 0.5), (5.1, 4.0), (9.99, 2.0)])
    line = plot(measured)
    assert len(line) == WIDTH
    assert (line[0], line[12], line[-1]) == ("▂", "█", "▅")
    assert measured.longest_wait == 4.0
    assert plot(Measured(statement="ALTER")) == "▁" * WIDTH


def test_a_migration_is_named_by_its_number() -> None:
    engine = Migration(origin="engine", number=1, name="0001_ledger", statements=("DO 1",))
    one, two = _migration(1, "DO 1"), _migration(2, "DO 1")
    assert _chosen([engine, one, two], "0002") == ([engine, one], two)
    assert _chosen([engine, one, two], "0001_it.sql") == ([engine], one)
    with pytest.raises(ValueError, match=r"write the number of a file in lambda/migrations/ \(there: 0001, 0002\)"):
        _chosen([engine, one, two], "0003")


def test_the_command_says_what_there_is_if_there_is_no_such_migration() -> None:
    """Of this checkout's own, whichever it has."""
    command = ["make", "rehearse", "MIGRATION=9999", "ROWS=1000", "--old-file=.venv/wheels/ready"]  # installs nothing
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "make rehearse: MIGRATION is '9999': write the number of a file in lambda/migrations/" in done.stderr
