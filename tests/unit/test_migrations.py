"""What is wrong with the migration files is said before the database is touched."""

from pathlib import Path

import pytest

from migrate import FOLDER, MigrationError, read_migrations


def test_the_projects_own_migrations_are_in_order() -> None:
    assert [migration.number for migration in read_migrations(FOLDER)][:1] == [1]


def test_statements_end_with_a_semicolon_at_the_end_of_a_line(tmp_path: Path) -> None:
    (tmp_path / "0001_two.sql").write_text(
        "-- a comment; with a semicolon\n"
        "CREATE TABLE a (b CHAR(1) DEFAULT ';', c INT);\n\n"
        "  -- another\nINSERT INTO a\nVALUES (1);"
    )
    [migration] = read_migrations(tmp_path)
    assert migration.statements == ("CREATE TABLE a (b CHAR(1) DEFAULT ';', c INT)", "INSERT INTO a\nVALUES (1)")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"1_first.sql": "SELECT 1;"}, "1_first.sql: write a name like 0001_what_it_does.sql"),
        ({"0001_First.sql": "SELECT 1;"}, "0001_First.sql: write a name like 0001_what_it_does.sql"),
        ({"0002_second.sql": "SELECT 1;"}, "0002_second.sql: the next number in the sequence is 0001"),
        ({"0001_a.sql": "SELECT 1;", "0001_b.sql": "SELECT 1;"}, "0001_b.sql: the next number in the sequence is 0002"),
        ({"0001_a.sql": "SELECT 1;", "0003_b.sql": "SELECT 1;"}, "0003_b.sql: the next number in the sequence is 0002"),
        ({"0001_a.sql": "SELECT 1"}, "0001_a.sql: the last statement has no semicolon"),
        ({"0001_a.sql": "-- nothing yet\n"}, "0001_a.sql: there is no statement in it"),
    ],
)
def test_a_wrong_file_is_named(files: dict[str, str], message: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(MigrationError) as caught:
        read_migrations(tmp_path)
    assert message in str(caught.value)
