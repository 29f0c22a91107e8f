"""The files of the migrations are read, and wrong ones named, before the database is touched."""

import hashlib
from pathlib import Path

import pytest

from mysql_jobs import migration_files
from mysql_jobs.migration_files import FOLDERS, Migration, MigrationError, Origin, checksum, file_of, read_migrations
from settings.migrations import migration_mistakes
from settings.project import ROOT
from tests.fixture import PROJECT


@pytest.mark.parametrize(("origin", "folder"), [("engine", FOLDERS["engine"]), ("project", PROJECT.migrations)])
def test_migrations_are_read_in_their_order(origin: Origin, folder: Path) -> None:
    assert list(migration_mistakes(folder)) == []
    found = read_migrations(folder, origin)
    assert [(each.origin, each.number) for each in found] == [(origin, n) for n in range(1, len(found) + 1)]


def test_the_files_are_beside_the_engine_and_beside_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # in these tests, the project is the fixture's
    engine = ROOT / "lambda" / "mysql_jobs"
    assert {"engine": engine / "migrations", "project": engine.parent / "migrations"} == migration_files.FOLDERS


@pytest.mark.parametrize(
    ("origin", "file"), [("engine", "mysql_jobs/migrations/0001_a.sql"), ("project", "migrations/0001_a.sql")]
)
def test_a_migration_is_named_by_its_path_in_the_zip(origin: Origin, file: str) -> None:
    migration = Migration(origin=origin, number=1, name="0001_a", statements=("SELECT 1",))
    assert migration.file == file_of(origin, "0001_a") == file


def test_a_checksum_is_the_same_in_every_version_of_the_engine() -> None:
    """It is in the database of whoever has deployed: another one would stop the next deploy."""
    assert checksum(("CREATE TABLE a (b INT)", "SELECT 'é'")) == (
        hashlib.sha256("CREATE TABLE a (b INT);\nSELECT 'é'".encode()).hexdigest()
    )


def test_lines_without_anything_and_comments_are_no_part_of_a_statement(tmp_path: Path) -> None:
    """So they may be changed after the migration was applied."""
    (tmp_path / "0001_a.sql").write_text("INSERT INTO a\n\n   \n-- the second\nVALUES (1);  \n\n")
    [migration] = read_migrations(tmp_path, "project")
    assert migration.statements == ("INSERT INTO a\nVALUES (1)",)


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
