"""`make run` shows its runs and leaves nothing behind, however it ends."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from stacks.settings import ROOT

HANG_SECONDS = 600


def test_make_run_shows_runs_that_left_nothing_open(tmp_path: Path) -> None:
    finished = subprocess.run(
        ["make", "run"],
        cwd=ROOT,
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    rows = [line.split() for line in finished.stdout.splitlines() if re.match(r" *\d\d:\d\d ", line)]
    assert [(row[1:5], row[-1]) for row in rows] == [
        (["heartbeat", "emulator", "cold", "done"], "0"),
        (["heartbeat", "emulator", "warm", "duplicate"], "0"),
        (["rollup", "emulator", "cold", "done"], "0"),
        (["rollup", "emulator", "warm", "duplicate"], "0"),
        (["purge_expired", "emulator", "cold", "done"], "0"),
        (["purge_expired", "emulator", "warm", "duplicate"], "0"),
        (["heartbeat", "runtime", "cold", "done"], "0"),
        (["heartbeat", "runtime", "thawed", "done"], "0"),
        (["heartbeat", "runtime", "thawed", "done"], "0"),
    ]
    assert "cdk diff: no differences" in finished.stdout
    assert "What this does not prove." in finished.stdout
    assert _left_behind(tmp_path) == ([], [])


@pytest.mark.parametrize("moment", ["Starting it", "cdk deploy", "cold run of heartbeat in the runtime"])
def test_an_interrupted_run_leaves_nothing(moment: str, tmp_path: Path) -> None:
    started = _start(["make", "run"], tmp_path)
    assert started.stdout
    with started.stdout as output:
        for line in output:
            if moment in line:
                break
        os.killpg(started.pid, signal.SIGINT)  # what Ctrl-C does
        rest = output.read()
    assert started.wait(HANG_SECONDS) != 0
    assert "Interrupted; everything was stopped and removed." in rest
    assert _left_behind(tmp_path) == ([], [])


def test_a_kept_run_can_be_looked_at_until_it_is_interrupted(tmp_path: Path) -> None:
    kept = _start(["make", "run", "KEEP=1"], tmp_path)
    assert kept.stdout
    with kept.stdout as output:
        shown: list[str] = []
        while "logs and templates" not in "".join(shown):
            shown.append(output.readline())
            assert shown[-1], "".join(shown)
        for command in ("look at the ledger", "try the job"):
            [line] = [line for line in shown if command in line]
            finished = _shell(line.partition(command)[2].strip())
            assert finished.returncode == 0, finished.stderr
        assert '"outcome": "dry_run"' in finished.stdout
        os.killpg(kept.pid, signal.SIGINT)
        rest = output.read()
    assert "Done." in rest
    assert kept.wait(HANG_SECONDS) == -signal.SIGINT  # as make ends after Ctrl-C
    assert _left_behind(tmp_path) == ([], [])


def _start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    """The command as a terminal starts it: in a process group of its own, which gets Ctrl-C."""
    return subprocess.Popen(
        command, cwd=ROOT, env=_environment(folder), stdout=subprocess.PIPE, text=True, process_group=0
    )


def _shell(command: str) -> subprocess.CompletedProcess[str]:
    """What a person gets who pastes the command into a shell in the project's folder."""
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=HANG_SECONDS
    )


def _environment(folder: Path) -> dict[str, str]:
    """A usual terminal, and a temporary folder that marks every process of the run."""
    return {**os.environ, "COLUMNS": "80", "TMPDIR": str(folder)}


def _left_behind(folder: Path) -> tuple[list[str], list[str]]:
    """Processes that were started with `folder` as their temporary folder, and what is in it."""
    end = time.monotonic() + 10  # a killed process takes a moment to be reaped
    while (processes := _marked(str(folder))) and time.monotonic() < end:
        time.sleep(0.1)
    return processes, sorted(path.name for path in folder.iterdir())


def _marked(text: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            marked = text.encode() in (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:  # ended meanwhile, or another user's
            continue
        if marked:
            found.append(f"{process.name} {(process / 'cmdline').read_bytes()!r}")
    return found
