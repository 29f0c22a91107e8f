"""The files of the migrations are read, and wrong ones named, before the database is touched."""

from pathlib import Path

import pytest

from mysql_jobs.migration_files import FOLDERS, MigrationError, Origin, read_migrations
from settings.migrations import migration_mistakes
from tests.fixture import PROJECT


@pytest.mark.parametrize(("origin", "folder"), [("engine", FOLDERS["engine"]), ("project", PROJECT.migrations)])
def test_migrations_are_read_in_their_order(origin: Origin, folder: Path) -> None:
    assert list(migration_mistakes(folder)) == []
    found = read_migrations(folder, origin)
    assert [(each.origin, each.number) for each in found] == [(origin, n) for n in range(1, len(found) + 1)]


def test_statements_end_with_a_semicolon_at_the_end_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "0001_two.sql").write_text(
        "-- a comment; with a semicolon\n"
        "CREATE TABLE a (b CHAR(1) DEFAULT ';', c INT);\n\n"
        "  -- another\nINSERT INTO a\nVALUES (1);"
    )
    [migration] = read_migrations(tmp_path, "project")
    assert migration.statements == ("CREATE TABLE a (b CHAR(1) DEFAULT ';', c INT)", "INSERT INTO a\nVALUES (1)")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SELECT 1", "the last statement has no semicolon at its end"),
        ("-- nothing yet\n", "there is no statement in it"),
    ],
)
@pytest.mark.parametrize(
    ("origin", "file"), [("engine", "mysql_jobs/migrations/0001_a.sql"), ("project", "migrations/0001_a.sql")]
)
def test_a_file_without_a_whole_statement_is_named(
    text: str, problem: str, origin: Origin, file: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_a.sql").write_text(text)
    with pytest.raises(MigrationError) as caught:
        read_migrations(tmp_path, origin)
    assert str(caught.value) == f"{file}: {problem}"


@pytest.mark.parametrize("origin", ["engine", "project"])
def test_there_may_be_no_migrations(origin: Origin, tmp_path: Path) -> None:
    assert read_migrations(tmp_path, origin) == read_migrations(tmp_path / "no folder", origin) == ()
