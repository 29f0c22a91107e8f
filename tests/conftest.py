"""What the tests share: one synthesis, one MySQL server, one emulator."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from app import build
from local import fault_matrix, mysql_installation
from local.emulator import Emulator
from local.environment import CACHE
from local.fault_bench import Observed
from local.mysql_server import MySQLServer
from stacks.parameter_group import PARAMETERS

# Where tests are a shell's background job, Ctrl-C is ignored, and so it would be in every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
REGION = "eu-central-1"


MATRIX: pytest.StashKey[list[tuple[str, Observed]]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", type=Path, help="write the fault matrix into this file, as Markdown")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MATRIX] = []


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> Callable[[str, Observed], None]:
    """Puts a fault, and what was observed, into the matrix."""
    matrix = request.config.stash[MATRIX]
    return lambda fault, observed: matrix.append((fault, observed))


def pytest_terminal_summary(config: pytest.Config, terminalreporter: pytest.TerminalReporter) -> None:
    file = config.getoption("--faults")
    if file:
        rows: list[tuple[str, Observed]] = config.stash[MATRIX]
        fault_matrix.write(file, rows)
        terminalreporter.write_line(fault_matrix.text(rows))


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthesized app, every environment of it, as the CLI would get it."""
    folder = tmp_path_factory.mktemp("cdk.out")
    # The CLI hands over the context of both files; without it, this would be another app than the deployed one.
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    looked_up = ROOT / "cdk.context.json"
    if looked_up.exists():
        context |= json.loads(looked_up.read_text())
    app = cdk.App(outdir=str(folder), context=context)
    build(app)
    app.synth()
    return folder


@pytest.fixture(scope="session")
def templates(assembly: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """The templates, by environment and stack."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for manifest in sorted(assembly.glob("assembly-*/manifest.json")):
        stacks = found.setdefault(manifest.parent.name.removeprefix("assembly-"), {})
        for artifact in json.loads(manifest.read_text())["artifacts"].values():
            if artifact["type"] == "aws:cloudformation:stack":
                stack = artifact["properties"]["stackName"].partition("-")[2]
                stacks[stack] = json.loads((manifest.parent / artifact["properties"]["templateFile"]).read_text())
    return found


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MySQLServer]:
    """A real MySQL server with the parameter group's settings."""
    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    folder = tmp_path_factory.mktemp("mysql")
    with MySQLServer.start(installation, folder, settings=PARAMETERS, progress=print) as server:
        yield server


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The AWS emulator, for its Secrets Manager."""
    emulator = Emulator.start(tmp_path_factory.mktemp("emulator"), region=REGION)
    yield emulator
    emulator.stop()
