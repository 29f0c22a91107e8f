"""What the tests share: one synthesis, one emulator. The MySQL server is a fixture of testkit/plugin.py."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from documents.synthesis import synthesize
from lab import fault_matrix, torture
from lab.fault_bench import Bench, Observed
from local.emulator import Emulator
from local.made_once import made_once
from local.mysql_server import MySQLServer
from tests.audit import audit
from tests.benches import new_bench
from tests.fixture import PROJECT, VARIANTS, FilesIn

sys.addaudithook(audit)

ROOT = Path(__file__).parents[1]
REGION = "eu-central-1"


MATRIX = pytest.StashKey[list[fault_matrix.Row]]()
MATRIX_OUTSIDE = pytest.StashKey[list[fault_matrix.RowOutside]]()
TORTURE = pytest.StashKey[list[tuple[str, int]]]()
SYNTHESES = {"every_template", "synthesize", "synthesized", "variants", "with_key", "with_proxy", "without_jobs"}
"""Fixtures that need one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", type=Path, help="write the fault matrix into this file, as Markdown")
    parser.addoption("--torture", type=Path, help="write what was tortured, and how often, into this file, as Markdown")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MATRIX] = []
    config.stash[MATRIX_OUTSIDE] = []
    config.stash[TORTURE] = []


@pytest.hookimpl(tryfirst=True)  # before -m is applied
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what synthesizes environments that no file describes; and begin with the files that take longest."""
    for item in items:
        if SYNTHESES & set(getattr(item, "fixturenames", ())):
            item.add_marker("synthesis")
    if hasattr(config, "workerinput"):  # of several processes, none waits for another at the end
        items.sort(
            key=lambda item: (not item.get_closest_marker("deployment"), not item.get_closest_marker("integration"))
        )


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> Callable[[str, Observed], None]:
    """Puts a fault, and what was observed, into the matrix."""
    matrix = request.config.stash[MATRIX]
    return lambda fault, observed: matrix.append((fault, observed))


@pytest.fixture(scope="session")
def record_outside(request: pytest.FixtureRequest) -> Callable[[str, str, Observed], None]:
    """Puts a fault of what a job asks besides its database into the matrix, with what was observed."""
    matrix = request.config.stash[MATRIX_OUTSIDE]
    return lambda fault, asked, observed: matrix.append((fault, asked, observed))


@pytest.fixture(scope="session")
def count_torture(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """Notes what runs were tortured with, and how many."""
    counts = request.config.stash[TORTURE]
    return lambda what, count: counts.append((what, count))


def pytest_terminal_summary(config: pytest.Config, terminalreporter: pytest.TerminalReporter) -> None:
    file = config.getoption("--faults")
    if file:
        rows, outside = config.stash[MATRIX], config.stash[MATRIX_OUTSIDE]
        fault_matrix.write(file, rows, outside)
        terminalreporter.write_line(fault_matrix.text(rows, outside))
    tortured = config.getoption("--torture")
    if tortured:
        counts: list[tuple[str, int]] = config.stash[TORTURE]
        torture.write(tortured, counts, failed=len(terminalreporter.getreports("failed")))


@pytest.fixture(scope="session")
def assembly(shared: Path) -> Path:
    """The fixture's project, synthesized, every environment of it, as the CLI would get it."""
    return made_once(shared, "fixture.out", lambda folder: synthesize(PROJECT, folder))


@pytest.fixture(scope="session")
def variants(shared: Path) -> Path:
    """The environments in tests/variants/, synthesized. Their functions' code isn't bundled: it is the same."""
    return made_once(shared, "variants.out", lambda folder: synthesize(FilesIn(VARIANTS), folder))


@pytest.fixture(scope="session")
def templates(assembly: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The templates of the fixture's project, by environment and stack."""
    return read_templates(assembly)


def read_templates(assembly: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The templates in a synthesized app, by environment and stack."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for manifest in sorted(assembly.glob("assembly-*/manifest.json")):
        stacks = found.setdefault(manifest.parent.name.removeprefix("assembly-"), {})
        for artifact in json.loads(manifest.read_text())["artifacts"].values():
            if artifact["type"] == "aws:cloudformation:stack":
                stack = artifact["properties"]["stackName"].partition("-")[2]
                stacks[stack] = json.loads((manifest.parent / artifact["properties"]["templateFile"]).read_text())
    return found


@pytest.fixture(scope="module")
def bench(server: MySQLServer, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Where a job behaves badly, as tests/mysql_jobs/faulty.py can."""
    bench = new_bench(server, emulator, tmp_path_factory)
    yield bench
    bench.close()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The AWS emulator, for its Secrets Manager."""
    emulator = Emulator.start(tmp_path_factory.mktemp("emulator"), region=REGION)
    yield emulator
    emulator.stop()
