"""The page: a row for each exercise and ground, and no run writes over what another ground showed."""

import re
from pathlib import Path

import pytest

from gameday import report
from gameday.day import DEPLOYED, DESTROYED
from gameday.exercise import FAILED, PASSED, Result
from gameday.exercises.all import EXERCISES
from gameday.ground import AWS, LOCAL

TITLES = [DEPLOYED.title, *(each.title for each in EXERCISES), DESTROYED]


def results(seen: str) -> list[Result]:
    return [Result(title="First", done="it", outcome=PASSED, seen=seen, seconds=1.4)]


def parts(text: str) -> dict[str, str]:
    pieces = re.split(r"^(## .*)$", text, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def titles(part: str) -> list[str]:
    return re.findall(r"^\| ([^|]*) \|", part, re.MULTILINE)[1:]


def test_the_committed_page_has_a_row_for_each_exercise_on_both_grounds() -> None:
    committed = parts(report.PAGE.read_text())
    assert {ground: titles(part) for ground, part in committed.items()} == dict.fromkeys(
        report.HEADINGS.values(), TITLES
    )
    assert report.PAGE.read_text().startswith(report.INTRODUCTION)


def test_every_exercise_has_a_title_of_its_own() -> None:
    assert len(set(TITLES)) == len(TITLES)


def test_a_new_page_says_that_nobody_has_run_it_on_aws(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    report.write(page, LOCAL, results("all is well"), exercises=EXERCISES, where="somewhere")
    found = parts(page.read_text())
    assert titles(found["## On AWS"]) == TITLES
    assert found["## On AWS"].count(report.NOT_YET) == len(TITLES)
    assert "| First | it | all is well | 1 | passed |" in found["## Here, on the local AWS"]
    assert re.search(r"\d+ \w+ \d{4}, somewhere\.", found["## Here, on the local AWS"])


@pytest.mark.parametrize(("first", "second"), [(AWS, LOCAL), (LOCAL, AWS)])
def test_a_run_keeps_what_the_other_ground_showed(first: str, second: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    report.write(page, first, results("first seen"), exercises=EXERCISES, where="here")
    report.write(page, second, results("then seen"), exercises=EXERCISES, where="there")
    report.write(page, second, results("last seen"), exercises=EXERCISES, where="there")
    text = page.read_text()
    assert ("first seen" in text, "then seen" in text, "last seen" in text) == (True, False, True)
    assert list(parts(text)) == list(report.HEADINGS.values())
    again = page.read_text()
    report.write(page, second, results("last seen"), exercises=EXERCISES, where="there")
    assert page.read_text() == again


def test_an_error_of_any_form_stays_in_its_cell(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    seen = Result(title="First", done="it", outcome=FAILED, seen="a | b\n\n## <c> `d`")
    report.write(page, AWS, [seen], exercises=EXERCISES, where="here")
    assert r"| First | it | a \| b ## \<c> \`d\` |  | FAILED |" in page.read_text()
