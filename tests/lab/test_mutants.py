"""What make mutants finds: the mutants that no test notices, and only those."""

import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from lab.mutators import Mutant, mutants_of
from settings.project import ROOT

TOY = """
import time
from dataclasses import dataclass
from functools import cache

LIMIT, LONGEST = 3, 9

@dataclass(frozen=True, kw_only=True)
class Point:
    x: int = 1

class Base:
    def end(self):
        return "ended"

class Counter(Base):
    step = 1

    def __init__(self, start=0):
        self.at = start
        self.ends = []

    def count(self):
        while self.at < min(LIMIT, LONGEST):
            self.at += self.step

    def end(self):
        self.ends.append(super().end())

@cache
def doubled(number):
    return number * 2

def said(number):
    return "what a log says" if number else "?"

def unprotected(number):
    return number > 5
"""
TESTS = """
import threading
import time

from toy import LIMIT, LONGEST, Counter, Point, doubled, said, unprotected

def test_count():
    counter = Counter()
    counter.count()
    assert (counter.at, LIMIT, LONGEST) == (3, 3, 9)
    assert Counter().at == 0

def test_end():
    counter = Counter(7)
    counter.end()
    assert (counter.at, counter.ends) == (7, ["ended"])

def test_in_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(doubled(4)))
    thread.start()
    thread.join()
    assert found == [8]

def test_cache():
    assert doubled.cache_info() is not None
    assert doubled(4) == 8

def test_said():
    assert len(said(1)) > 1
    assert said(0) == "?"

def test_point():
    assert Point().x == 1

def test_unprotected():
    assert unprotected(6)
    assert not unprotected(4)

def test_too_slow_to_take_part():
    time.sleep(3)
    assert not unprotected(5)
"""
LIVE = {"comparison": "return number > 5 → return number >= 5", "number": "return number > 5 → return number > 4"}


@pytest.mark.deployment
def test_the_mutants_that_no_test_notices_are_shown_until_they_are_explained(tmp_path: Path) -> None:
    document = tmp_path / "docs" / "mutants.md"
    (document.parent / "lab").mkdir(parents=True)
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "test_toy.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(
        "from lab import mutants\n\nmutants.HANGS_AFTER_SECONDS, mutants.TESTS_SECONDS = 3, 3\n"
    )

    code, shown = _run(tmp_path, document)
    assert code == 1, shown
    for kind, change in LIVE.items():
        assert f"unprotected: {kind}: {change}" in shown
    assert shown.count("toy.py:") == len(LIVE), shown
    assert re.search(r"toy: \d+ mutants, \d+ killed \([1-9] hang\), 2 live", shown), shown
    assert document.read_text().count("**not explained**") == len(LIVE)

    for kind, change in LIVE.items():
        with (document.parent / "lab" / "mutants.toml").open("a") as file:
            file.write(
                f"[[mutant]]\nmodule = 'toy'\nplace = 'unprotected'\n"
                f"kind = '{kind}'\nchange = '{change}'\nwhy = 'a toy'\n"
            )
    code, shown = _run(tmp_path, document)
    assert code == 0, shown
    assert document.read_text().count("| a toy |") == 2


@pytest.mark.parametrize(
    ("module", "place", "change"),
    [
        ("connection", "Connection._kill_by", "KILL CONNECTION {self._session.thread_id()}') → "),
        ("connection", "Connection.kill", "f'KILL QUERY {session}'"),
        ("connection", "Connection._kill", "address=self._session.address → address=self._database.host"),
        ("opening", "_set_up", "f'SESSION net_write_timeout = {seconds}' → nothing"),
        ("opening", "_set_up", "f'SESSION lock_wait_timeout = {seconds}' → nothing"),
        ("opening", "_set_up", "SESSION autocommit = 0, {', '.join(settings)}\") → pass"),
        ("opening", "_set_up", "SESSION time_zone = '+00:00'\" → "),
        ("opening", "tls_context", "context.minimum_version = ssl.TLSVersion.TLSv1_2 → pass"),
        ("job_users", "_make", "'schema': own_schema"),
        ("job_users", "_grant", "FROM `{name}`') → pass"),
    ],
)
def test_the_mistakes_that_once_went_unnoticed_are_among_the_mutants(module: str, place: str, change: str) -> None:
    made = _mutants(module)
    assert [each.change for each in made if each.place == place and change in each.change], [
        each.change for each in made if each.place == place
    ]


def test_each_explanation_is_of_a_mutant_that_is_made() -> None:
    explained = tomllib.loads((ROOT / "docs" / "lab" / "mutants.toml").read_text())["mutant"]
    for module in {each["module"] for each in explained}:
        names = {each.name for each in _mutants(module)}
        written = {(each["place"], each["kind"], each["change"]) for each in explained if each["module"] == module}
        assert written - names == set()


@cache
def _mutants(module: str) -> list[Mutant]:
    return mutants_of(ROOT / "lambda" / "mysql_jobs" / f"{module}.py")


def _run(folder: Path, document: Path) -> tuple[int, str]:
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--quiet", "-p", "lab.mutants", "-p", "no:cacheprovider"),
            *(
                "-c",
                ROOT / "pyproject.toml",
                "--rootdir",
                folder,
                "-o",
                f"pythonpath={folder} {ROOT}",
                "-o",
                "addopts=",
            ),
            *("--mutants", folder / "toy.py", "--mutants-into", document, folder / "test_toy.py"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": ""},  # what somebody wants of this run is not for that one
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr
