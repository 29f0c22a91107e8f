"""Which migrations a change brings, and which it must leave alone."""

from pathlib import Path

import pytest

from rehearsal.versions import compare


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return _checkout(tmp_path / "base", {"0001_sale.sql": "CREATE TABLE sale (id INT);\n"})


def _checkout(folder: Path, migrations: dict[str, str]) -> Path:
    for name in ("lambda/migrations", "lambda/mysql_jobs/migrations"):
        (folder / name).mkdir(parents=True)
    (folder / "lambda/mysql_jobs/migrations/0001_ledger.sql").write_text("CREATE TABLE ledger (id INT);\n")
    for name, text in migrations.items():
        (folder / "lambda/migrations" / name).write_text(text)
    return folder


def test_what_only_the_change_has_is_new(base: Path, tmp_path: Path) -> None:
    change = _checkout(
        tmp_path / "change",
        {"0001_sale.sql": "-- what was sold\nCREATE TABLE sale (id INT);\n", "0002_more.sql": "DROP TABLE sale;\n"},
    )
    found = compare(base, change)
    assert [each.file for each in found.merged] == ["mysql_jobs/migrations/0001_ledger.sql", "migrations/0001_sale.sql"]
    assert [each.file for each in found.new] == ["migrations/0002_more.sql"]
    assert list(found.mistakes) == []  # a comment is no part of a statement


@pytest.mark.parametrize(
    ("migrations", "place", "said"),
    [
        ({}, "migrations/0001_sale.sql", "no longer there: restore it"),
        ({"0001_sale.sql": "CREATE TABLE sale (id BIGINT);\n"}, "migrations/0001_sale.sql", "statements differ now"),
        (
            {"0001_sale.sql": "CREATE TABLE sale (id INT);\nDROP TABLE sale;\n"},
            "migrations/0001_sale.sql",
            "statements differ now",
        ),
        ({"0001_sold.sql": "CREATE TABLE sale (id INT);\n"}, "migrations/0001_sale.sql", "named 0001_sold.sql now"),
        ({"0001_sale.sql": "CREATE TABLE sale (id INT)"}, "migrations", "no semicolon at its end"),
    ],
)
def test_a_merged_migration_is_not_touched(
    migrations: dict[str, str], place: str, said: str, base: Path, tmp_path: Path
) -> None:
    [mistake] = compare(base, _checkout(tmp_path / "change", migrations)).mistakes
    assert (mistake.kind, mistake.place) == ("mistake", place)
    assert said in mistake.text
