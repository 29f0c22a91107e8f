"""A file among the migrations that would not be applied, or not in its turn, is named before anything is deployed."""

from pathlib import Path

import pytest

from settings.files import SettingsError, load_environments
from settings.migrations import migration_mistakes
from settings.project import Project
from tests.fixture import PROJECT


@pytest.mark.parametrize(
    ("names", "mistakes"),
    [
        ([], []),
        (["0001_one.sql", "0002_two.sql", ".gitkeep"], []),
        (["0002_two.sql"], ["0002_two.sql: 0001 is missing: write 0001"]),
        (["0000_zero.sql"], ["0000_zero.sql: no migration has such a name: write one like 0001_what_it_does.sql"]),
        (
            ["0001_one.sql", "0003_three.sql", "0004_four.sql"],
            ["0003_three.sql: 0002 is missing: write 0002"],
        ),
        (
            ["0001_a.sql", "0001_b.sql", "0001_c.sql", "0002_two.sql"],
            [
                "0001_b.sql: 0001_a.sql has this number: write 0003, which is unused",
                "0001_c.sql: 0001_a.sql has this number: write 0003, which is unused",
            ],
        ),
        (["1_one.sql"], ["1_one.sql: no migration has such a name: write one like 0001_what_it_does.sql"]),
        (["0001_One.sql"], ["0001_One.sql: no migration has such a name: write one like 0001_what_it_does.sql"]),
        (
            ["0001_one.sql", "0002_two.SQL", "notes.md"],
            [
                "0002_two.SQL: no migration has such a name: write one like 0002_what_it_does.sql",
                "notes.md: no migration has such a name: write one like 0002_what_it_does.sql",
            ],
        ),
        (["0001_one.sql", "old/"], ["old: is a folder, and only the files beside it are applied: move or remove it"]),
        (["0001_one.sql/"], ["0001_one.sql: is a folder, and only the files beside it are applied: move or remove it"]),
    ],
)
def test_names_form_one_sequence(names: list[str], mistakes: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "lambda" / "migrations"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).mkdir() if name.endswith("/") else (folder / name).touch()
    assert list(migration_mistakes(folder)) == [f"lambda/migrations/{each}" for each in mistakes]


def test_a_project_needs_no_migrations(tmp_path: Path) -> None:
    assert list(migration_mistakes(tmp_path / "lambda" / "migrations")) == []


def test_a_mistake_among_the_migrations_stops_the_synthesis(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.environments.mkdir()
    (project.environments / "basic.toml").write_text((PROJECT.environments / "basic.toml").read_text())
    project.jobs.mkdir(parents=True)
    for file in PROJECT.jobs.glob("*.py"):
        (project.jobs / file.name).write_text(file.read_text())
    project.migrations.mkdir()
    assert len(load_environments(project)) == 1
    (project.migrations / "first.sql").touch()
    with pytest.raises(SettingsError, match=r"^lambda/migrations/first\.sql: no migration has such a name"):
        load_environments(project)
