"""Migrations are tried only where they changed; what came of it stands in the report, and fails it where it must."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from review import migrations
from review.danger import Danger
from review.failure import ReviewFailed
from review.migrations import tried
from review.report import EnvironmentReview, markdown

FOUND = [
    {"kind": "data", "place": "migrations/0002_more.sql", "text": "drops the table `sale` with all its rows"},
    {"kind": "note", "place": "migrations/0002_more.sql", "text": "statement 2 instant"},
]


@pytest.fixture
def checkouts(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("base", "change"):
        (tmp_path / name / "lambda" / "migrations").mkdir(parents=True)
    return tmp_path / "base", tmp_path / "change"


def _answers(monkeypatch: pytest.MonkeyPatch, text: str, code: int = 0) -> list[list[str]]:
    asked: list[list[str]] = []

    def run(command: list[str], **_options: Any) -> Any:
        asked.append(command)
        return SimpleNamespace(returncode=code, stdout=text)

    monkeypatch.setattr(migrations, "subprocess", SimpleNamespace(run=run, PIPE=subprocess.PIPE))
    return asked


def test_unchanged_migrations_are_not_tried(checkouts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _answers(monkeypatch, "[]")
    for checkout in checkouts:
        (checkout / "lambda/migrations/0001_sale.sql").write_text("CREATE TABLE sale (id INT);\n")
    assert (tried(*checkouts).dangers, tried(*checkouts).notes, asked) == ((), (), [])


def test_what_was_found_is_a_danger_or_a_note(checkouts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _answers(monkeypatch, json.dumps(FOUND))
    (checkouts[1] / "lambda/migrations/0002_more.sql").write_text("DROP TABLE sale;\n")
    found = tried(*checkouts)
    assert [each.kind for each in found.dangers] == ["data"]
    assert found.notes == ["`migrations/0002_more.sql`: statement 2 instant"]
    assert [each[-2:] for each in asked] == [[str(each) for each in checkouts]]


def test_a_trial_that_fails_is_no_report(checkouts: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, "", code=1)
    (checkouts[1] / "lambda/migrations/0002_more.sql").write_text("DROP TABLE sale;\n")
    with pytest.raises(ReviewFailed, match="could not be tried"):
        tried(*checkouts)


def test_the_report_names_the_file_for_the_yes() -> None:
    danger = Danger(kind="data", code="data", resource=FOUND[0]["place"], text=FOUND[0]["text"])
    environments = [EnvironmentReview(name=name, dangers=[danger]) for name in ("basic", "large")]
    report = markdown("Against main", environments, (), ["`migrations/0002_more.sql`: statement 2 instant"])
    assert (
        "## Loses data\n\n- **`migrations/0002_more.sql`** `data` in `basic`, `large`\n"
        "  - drops the table `sale` with all its rows.\n  - **Not accepted**\n\n"
        "## What the migrations do besides\n\n- `migrations/0002_more.sql`: statement 2 instant\n"
    ) in report
