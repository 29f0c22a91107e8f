"""Tests that are ended early leave nothing behind, in whatever way they are ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from settings.project import ROOT
from tests.left_behind import left_behind

pytestmark = pytest.mark.integration

HANG_SECONDS = 120
WAITING = """\
import time

import aws_cdk
import pytest


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    from local.emulator import Emulator

    emulator = Emulator.start(tmp_path_factory.mktemp("emulator"), region="eu-central-1")
    yield emulator
    emulator.stop()


def test_it(server, emulator, tmp_path):
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda n: n.name)
def test_tests_that_are_ended_leave_neither_processes_nor_files(number: signal.Signals, tmp_path: Path) -> None:
    with _tests(WAITING, tmp_path) as (process, temporary):
        assert process.stdout
        shown = []
        for line in process.stdout:
            shown.append(line)
            if "ready" in line:
                break
        process.send_signal(number)
        process.communicate(timeout=HANG_SECONDS)
    expected = -number if number == signal.SIGKILL else pytest.ExitCode.INTERRUPTED
    assert process.returncode == expected, "".join(shown)
    processes, kept = left_behind(temporary)
    assert (processes, [name.partition("-of-")[0] for name in kept]) == ([], ["pytest"])
    assert _files(temporary) == []  # pytest's own folder is empty


def test_the_folder_of_a_test_that_failed_is_kept_and_nothing_else(tmp_path: Path) -> None:
    failing = "def test_it(server, tmp_path):\n    (tmp_path / 'seen').touch()\n    assert False\n"
    with _tests(failing, tmp_path) as (process, temporary):
        process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == pytest.ExitCode.TESTS_FAILED
    processes, [kept] = left_behind(temporary)
    assert (processes, kept.partition("-of-")[0]) == ([], "pytest")
    assert _files(temporary) == ["seen"]


def _files(folder: Path) -> list[str]:
    """The names of all files, but for pytest's marks on the folders that it keeps."""
    return [path.name for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]


@contextmanager
def _tests(source: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Run the tests in `source`, with the project's settings and a temporary folder of their own."""
    file, temporary = folder / "test_it.py", folder / "temporary"
    file.write_text(source)
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--capture=no", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", file],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process, temporary
        finally:
            process.kill()
