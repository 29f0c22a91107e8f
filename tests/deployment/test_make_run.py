"""`make run` shows its runs and leaves nothing behind, however it ends."""

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
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
    assert _rows(finished.stdout) == [
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
    _, heading, rest = finished.stdout.partition("What this does not prove.")
    closing = [line.strip() for line in (heading + rest).splitlines() if not line.endswith(("…", "Done."))]
    assert closing == textwrap.wrap(" ".join(closing), 80, break_on_hyphens=False)  # each line as full as it can be
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
        ledger, tried = (_shell(_command(shown, label)) for label in ("look at the ledger", "try the job"))
        os.killpg(kept.pid, signal.SIGINT)
        rest = output.read()
    assert re.search(r"│ rollup +│ done +│ [\d-]+ [\d:]+ +│ [\d-]+ [\d:]+ +│\n", ledger.stdout), ledger.stderr
    assert '"outcome": "dry_run"' in tried.stdout, tried.stderr
    assert "The function of another job is called local-<job>." in rest
    assert "Done." in rest
    assert kept.wait(HANG_SECONDS) == -signal.SIGINT  # as make ends after Ctrl-C
    assert _left_behind(tmp_path) == ([], [])


def test_failed_runs_are_rows_and_what_is_kept_stays_up(tmp_path: Path, failing: Path) -> None:
    kept = _start([sys.executable, "-m", "local.run", "--keep"], tmp_path, project=failing)
    assert kept.stdout
    with kept.stdout as output:
        shown: list[str] = []
        while "logs and templates" not in "".join(shown):
            shown.append(output.readline())
            assert shown[-1], "".join(shown)
        tried = _shell(_command(shown, "try the job"))
        os.killpg(kept.pid, signal.SIGINT)
        rest = output.read()
    text = "".join(shown)
    assert [outcome for (*_, outcome), _ in _rows(text)] == ["failed"] * 2 + ["done", "duplicate"] * 2 + ["failed"] * 3
    assert "cold run of heartbeat in the emulator: Runtime.HandlerError: not today\n" in text
    assert re.search(r'jobs/heartbeat\.py", line \d+, in run\n', text)
    assert "thawed run of heartbeat in the runtime: ValueError: not today\n" in text  # from its log line
    assert (tried.returncode, "not today" in tried.stdout) == (1, True)
    assert "A run was not good: see the table." in rest
    assert kept.wait(HANG_SECONDS) == 1
    assert _left_behind(tmp_path) == ([], [])


@pytest.fixture
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what `make run` is made from, with a job that fails."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("app.py", "cdk.json"):
        shutil.copyfile(ROOT / name, folder / name)
    for name in ("stacks", "lambda", "local"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "environments").mkdir()
    shutil.copyfile(ROOT / "environments" / "local.toml", folder / "environments" / "local.toml")
    for name in (".venv", ".cache", "node_modules"):
        (folder / name).symlink_to(ROOT / name)
    job = folder / "lambda" / "jobs" / "heartbeat.py"
    job.write_text(job.read_text() + "\n\ndef run(run):\n    raise ValueError('not today')\n")
    return folder


def _start(command: list[str], folder: Path, *, project: Path = ROOT) -> subprocess.Popen[str]:
    """The command as a terminal starts it: in a process group of its own, which gets Ctrl-C."""
    return subprocess.Popen(
        command, cwd=project, env=_environment(folder), stdout=subprocess.PIPE, text=True, process_group=0
    )


def _rows(output: str) -> list[tuple[list[str], str]]:
    """Of each run in the table: job, where, start and outcome; and the connections left open."""
    rows = [line.split() for line in output.splitlines() if re.match(r" *\d\d:\d\d ", line)]
    return [(row[1:5], row[-1]) for row in rows]


def _command(shown: list[str], label: str) -> str:
    """The command that is suggested in order to do what `label` says."""
    [line] = [line for line in shown if label in line]
    return line.partition(label)[2].strip()


def _shell(command: str) -> subprocess.CompletedProcess[str]:
    """What a person gets who pastes the command into a shell in the project's folder."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )


def _environment(folder: Path) -> dict[str, str]:
    """A usual terminal, outside of any make, and a temporary folder that marks every process of the run."""
    usual = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return {**usual, "COLUMNS": "80", "TMPDIR": str(folder)}


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
