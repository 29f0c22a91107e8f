"""The lab's Python part, at its fast pace: the bad patterns must go on failing, and the cure must go on curing."""

import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import situations
from lab.__main__ import DOCUMENT, FIGURES
from lab.bench import OURS, PYTHON, Bench
from lab.history import history
from lab.observation import Observation
from local import mysql_installation
from local.emulator import Emulator
from local.environment import CACHE
from local.mysql_server import MySQLServer
from settings.project import ROOT

pytestmark = pytest.mark.integration

MODULES = (
    "module_level",
    "module_level_ping",
    "sqlalchemy_pool",
    "sqlalchemy_pre_ping",
    "per_run_no_finally",
    "close_in_finally",
    OURS.module,
)
PATTERNS = [pattern for pattern in PYTHON if pattern.module in MODULES]

Observed = dict[tuple[str, str], Observation]


@pytest.fixture(scope="module")
def bench(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """On a server of its own: it is restarted, and has no limits of its own."""
    folder = tmp_path_factory.mktemp("lab")
    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    server = MySQLServer.start(installation, folder / "mysql", progress=print)
    bench = None
    try:
        bench = Bench(
            server=server, emulator=emulator, folder=folder, function_seconds=situations.FAST.function_seconds
        )
        yield bench
    finally:
        (bench.server if bench else server).stop()


@pytest.fixture(scope="module")
def observed(bench: Bench) -> Observed:
    """Every observation, by its situation and the pattern's module."""

    def observe(situation: situations.Situation) -> list[Observation]:
        return situation(bench, PATTERNS, situations.FAST)

    with ThreadPoolExecutor() as pool:
        found = [each for group in pool.map(observe, situations.TOGETHER) for each in group]
    found += [each for situation in situations.ALONE for each in observe(situation)]
    modules = {pattern.name: pattern.module for pattern in PATTERNS}
    return {(each.situation, modules[each.pattern]): each for each in found}


# The end is there with OpenSSL 3.6, and not with 3.0.
LOST = r"\(2013, 'Lost connection to MySQL server during query(?: \(\[Errno 32\] Broken pipe\))?'\)"
DEAD = r"OperationalError: " + LOST
DEAD_FOR_GOOD = re.escape("InterfaceError: (0, '') on every later run")
TIMED_OUT = "Task timed out after .* seconds"
COMMITS = "ok, and commits what the failed runs had begun"


BAD = [
    (situations.REAPED, "module_level", DEAD, DEAD_FOR_GOOD),
    (situations.REAPED, "sqlalchemy_pool", rf".*\(pymysql\.err\.OperationalError\) {LOST}", ""),
    (situations.RESTARTED, "module_level", DEAD, DEAD_FOR_GOOD),
    (situations.RESTARTED, "sqlalchemy_pool", rf".*\(pymysql\.err\.OperationalError\) {LOST}", ""),
    (situations.FAILED, "module_level", COMMITS, ""),
    (situations.FAILED, "module_level_ping", COMMITS, ""),
    (situations.FORGOTTEN, "module_level", TIMED_OUT, ""),
    (situations.FORGOTTEN, "module_level_ping", TIMED_OUT, ""),
    (situations.FORGOTTEN, "sqlalchemy_pool", TIMED_OUT, ""),
    (situations.FORGOTTEN, "sqlalchemy_pre_ping", TIMED_OUT, ""),
    (situations.SWALLOWED, "close_in_finally", TIMED_OUT, ""),
]


@pytest.mark.parametrize(
    ("situation", "module", "next_run", "repeats"), BAD, ids=[f"{module}: {situation}" for situation, module, *_ in BAD]
)
def test_a_bad_pattern_fails_in_the_next_run(
    situation: str, module: str, next_run: str, repeats: str, observed: Observed
) -> None:
    seen = observed[situation, module]
    assert re.fullmatch(next_run, seen.next_run)
    assert re.fullmatch(repeats, seen.repeats)


@pytest.mark.parametrize(
    ("situation", "module"),
    [
        (situations.REAPED, "module_level_ping"),
        (situations.REAPED, "sqlalchemy_pre_ping"),
        (situations.RESTARTED, "module_level_ping"),
        (situations.RESTARTED, "sqlalchemy_pre_ping"),
    ],
)
def test_a_ping_mends_the_connection_but_holds_it_while_frozen(situation: str, module: str, observed: Observed) -> None:
    seen = observed[situation, module]
    assert (seen.next_run, seen.repeats, seen.held) == ("ok", "", 1)


def test_without_finally_errors_pile_up_connections(observed: Observed) -> None:
    assert observed[situations.FAILED, "per_run_no_finally"].held > 1
    assert observed[situations.FAILED, "close_in_finally"].held == 0


def test_a_query_outlives_a_function_that_is_killed(observed: Observed) -> None:
    running = {module: observed[situations.TIMED_OUT, module].still_running for module in MODULES}
    assert running == {**dict.fromkeys(MODULES, 1), OURS.module: 0}


@pytest.mark.parametrize(
    "situation",
    [situations.REAPED, situations.RESTARTED, situations.FAILED, situations.TIMED_OUT, situations.FORGOTTEN],
)
def test_the_cure_cures(situation: str, observed: Observed) -> None:
    seen = observed[situation, OURS.module]
    assert (seen.next_run, seen.repeats, seen.held, seen.still_running) == ("ok", "", 0, 0)


def test_the_cure_says_in_time_that_nothing_passes_and_goes_on(observed: Observed) -> None:
    seen = observed[situations.SWALLOWED, OURS.module]
    assert seen.next_run.startswith("DeadlineExceeded: not connected in time")
    assert (seen.repeats, seen.held, seen.still_running) == ("", 0, 0)


def test_the_picture_shows_what_is_held_while_frozen(bench: Bench) -> None:
    held = {series.pattern: series.connections for series in history(bench, situations.FAST).held}
    assert set(held["module level"]) == set(held["SQLAlchemy pool"]) == {1}
    assert max(held["per run without finally"]) > 1
    assert set(held["per run, close() in finally"]) == set(held["this project"]) == {0}


def test_the_documents_query_finds_a_held_session_and_nothing_of_the_cure(bench: Bench) -> None:
    [query] = re.findall(r"```sql\n(SELECT .*?);\n```", DOCUMENT.read_text(encoding="utf-8"), flags=re.DOTALL)
    bad = next(pattern for pattern in PATTERNS if pattern.module == "module_level")
    with bench.function(bad) as held, bench.function(OURS) as cured:
        for function in (held, cured):
            assert function.invoke().error is None
        time.sleep(1.1)
        users = {row[1] for row in bench.execute(query.replace("s.time > 60", "s.time > 0"))}
    assert held.user in users
    assert cured.user not in users


def test_what_the_functions_of_the_lab_leave_is_gone(bench: Bench) -> None:
    with bench.function(OURS) as function:
        assert function.invoke().error is None
        pid = function.environment.pid
    assert not Path(f"/proc/{pid}").exists()


def test_make_lab_shows_all_and_leaves_the_document_alone() -> None:
    documents = [DOCUMENT, *sorted(FIGURES.parent.iterdir())]
    before = [file.read_bytes() for file in documents]
    done = subprocess.run(
        ["make", "lab", "FAST=1", "--old-file=.venv/wheels/ready"],  # installs nothing, however new the lock files look
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PROTOCOL_SEQUENCE_TIMEOUT" in done.stdout
    for pattern in PYTHON:
        assert pattern.name in done.stdout
    assert [file.read_bytes() for file in documents] == before
