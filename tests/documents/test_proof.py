"""docs/proof.md: what it says proves a promise is there."""

import re

import pytest

from settings.project import ROOT
from tests.documents.documents import README, README_IS_A_TEAMS

ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "proof.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| Promise |", "| --- |"))
]
KINDS = ("real part", "emulator", "model", "schema", "nothing yet")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_promise_says_what_proves_it_and_where(row: list[str]) -> None:
    _promise, proof, by = row
    assert proof.startswith(KINDS)
    files = re.findall(r"`([^`]+)`", by)
    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert all(re.search(r"^def test_", (ROOT / file).read_text(), re.MULTILINE) for file in files if "/test_" in file)


@pytest.mark.skipif(README_IS_A_TEAMS, reason="README.md is the team's own")
def test_the_readme_leads_to_it() -> None:
    assert "](docs/proof.md)" in README.read_text()
