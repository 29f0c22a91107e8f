"""`make run` shows its runs and leaves nothing behind, however it ends; `make try` runs what is saved meanwhile."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.left_behind import left_behind
from tests.working_copy import edit, link_tools, working_copy

pytestmark = pytest.mark.deployment

HANG_SECONDS = 600

FAILING = '''"""Fails."""

TABLES = {}


def run(run):
    raise ValueError("not today")
'''
LEAKING = '''"""Opens a connection of its own, and leaves it."""

import os

import pymysql
from mysql_jobs.configuration import read_database, read_login
from mysql_jobs.credentials import Authentication

TABLES = {}
OPENED = []


def run(run):
    database = read_database(os.environ)
    login = Authentication(login=read_login(os.environ), database=database).credentials(run.deadline)
    OPENED.append(
        pymysql.connect(
            host=database.host,
            port=database.port,
            user=login.user,
            password=login.password,
            ssl_ca=str(database.certificates),
        )
    )
'''
ARCHIVE = '''"""Counts what it archives."""

TABLES = {"archive": ("SELECT", "INSERT")}


def run(run):
    print("archiving")
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO archive (number) VALUES (1)")
        cursor.execute("SELECT COUNT(*) FROM archive")
        return {"archived": cursor.fetchone()[0]}
'''
LATE = '''"""Has nothing to do."""

TABLES = {}


def run(run):
    return {}
'''
STRAY = '''"""Reads what only other jobs may read."""

TABLES = {"pulse": ("SELECT",)}


def run(run):
    with run.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM pulse")
        cursor.execute("SELECT COUNT(*) FROM event")
'''
JOBS = """
[[jobs]]
name = "failing"
schedule = "rate(1 day)"

[[jobs]]
name = "leaking"
schedule = "cron(0 3 ? * MON *)"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the engine with the fixture's project."""
    folder = working_copy(tmp_path_factory.mktemp("project") / "clone")
    link_tools(folder)
    return folder


@dataclass(frozen=True, kw_only=True)
class KeptRun:
    """`make run KEEP=1`, as its terminal sees it."""

    process: subprocess.Popen[str]
    project: Path
    temporary: Path
    shown: str
    """What it printed until everything was up."""

    def typed(self, command: str) -> subprocess.CompletedProcess[str]:
        """What a person gets who types the command in another terminal, in the project's folder."""
        return subprocess.run(
            ["bash", "-c", command.replace("make ", "make --old-file=.venv/wheels/ready ", 1)],
            cwd=self.project,
            env=_environment(self.temporary),
            capture_output=True,
            text=True,
            check=False,
            timeout=HANG_SECONDS,
        )

    def suggested(self, label: str) -> str:
        """The command that it suggests in order to do what `label` says."""
        [line] = [line for line in self.shown.splitlines() if line.startswith(f"  {label}  ")]
        return line.removeprefix(f"  {label}").strip()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptRun]:
    """An environment whose first job is good, one fails, and one leaves a connection."""
    project = working_copy(tmp_path_factory.mktemp("kept") / "clone")
    link_tools(project)
    (project / "lambda" / "jobs" / "failing.py").write_text(FAILING)
    (project / "lambda" / "jobs" / "leaking.py").write_text(LEAKING)
    edit(project / "environments" / "middle.toml", '[[jobs]]\nname = "tally"', f'{JOBS}\n[[jobs]]\nname = "tally"')
    temporary = tmp_path_factory.mktemp("temporary")
    command = [sys.executable, "-m", "local.run", "--keep", "--environment", "middle"]
    process = _start(command, temporary, project)
    assert process.stdout
    lines: list[str] = []
    while "Logs and templates" not in "".join(lines):
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    with process.stdout:
        yield KeptRun(process=process, project=project, temporary=temporary, shown="".join(lines))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(HANG_SECONDS)


def test_every_run_left_nothing_open(project: Path, tmp_path: Path) -> None:
    finished = _run(project, tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert _rows(finished.stdout) == [
        (["pulse", "emulator", "cold", "done"], "0"),
        (["pulse", "emulator", "warm", "duplicate"], "0"),
        (["tally", "emulator", "cold", "done"], "0"),
        (["tally", "emulator", "warm", "duplicate"], "0"),
        (["sweep", "emulator", "cold", "done"], "0"),
        (["sweep", "emulator", "warm", "duplicate"], "0"),
        (["pulse", "runtime", "cold", "done"], "0"),
        (["pulse", "runtime", "thawed", "done"], "0"),
        (["pulse", "runtime", "thawed", "done"], "0"),
        (["pulse", "emulator", "warm", "done"], "0"),
        (["pulse", "emulator", "next", "done"], "0"),
    ]
    assert "cdk diff: no differences" in finished.stdout
    _, heading, rest = finished.stdout.partition("What this does not prove.")
    closing = [line.strip() for line in (heading + rest).splitlines() if not line.endswith(("…", "Done."))]
    assert closing == textwrap.wrap(" ".join(closing), 80, break_on_hyphens=False)  # each line as full as it can be
    assert left_behind(tmp_path) == ([], [])


def test_an_environment_without_jobs_is_deployed_and_migrated(project: Path, tmp_path: Path) -> None:
    text = (project / "environments" / "basic.toml").read_text()
    (project / "environments" / "empty.toml").write_text(text.partition("[delivery]")[0])
    finished = _run(project, tmp_path, "--environment", "empty")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "environments/empty.toml has no jobs: it was deployed and migrated, and nothing was run." in finished.stdout
    assert left_behind(tmp_path) == ([], [])


def test_an_unknown_environment_is_told_the_right_name(project: Path, tmp_path: Path) -> None:
    finished = _run(project, tmp_path, "--environment", "basik")
    assert finished.returncode == 1
    assert "there is no environments/basik.toml: did you mean basic?\n" in finished.stdout
    assert left_behind(tmp_path) == ([], [])


MOMENTS = ("Synthesizing", "Initializing", "Starting it", "cdk deploy", "cold run of pulse in the runtime")


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupted_run_leaves_nothing(moment: str, project: Path, tmp_path: Path) -> None:
    started, rest = _ended(moment, project, tmp_path, signal.SIGINT)  # what Ctrl-C does
    assert started == 130
    assert "Interrupted; everything was stopped and removed." in rest
    assert left_behind(tmp_path) == ([], [])


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_leaves_nothing(moment: str, project: Path, tmp_path: Path) -> None:
    assert _ended(moment, project, tmp_path, signal.SIGKILL)[0] == -signal.SIGKILL
    assert left_behind(tmp_path) == ([], [])


def test_a_run_that_fails_is_a_row_and_the_others_go_on(kept: KeptRun) -> None:
    assert [row for row in _rows(kept.shown) if row[0][0] in ("pulse", "failing", "tally")] == [
        (["pulse", "emulator", "cold", "done"], "0"),
        (["pulse", "emulator", "warm", "duplicate"], "0"),
        (["failing", "emulator", "cold", "failed"], "0"),
        (["failing", "emulator", "warm", "failed"], "0"),
        (["tally", "emulator", "cold", "done"], "0"),
        (["tally", "emulator", "warm", "duplicate"], "0"),
        (["pulse", "runtime", "cold", "done"], "0"),
        (["pulse", "runtime", "thawed", "done"], "0"),
        (["pulse", "runtime", "thawed", "done"], "0"),
        (["pulse", "emulator", "warm", "done"], "0"),
        (["pulse", "emulator", "next", "done"], "0"),
    ]
    assert "cold run of failing in the emulator: Runtime.HandlerError: not today\n" in kept.shown
    assert re.search(r'jobs/failing\.py", line \d+, in run\n', kept.shown)


def test_a_connection_of_a_jobs_own_is_counted_in_its_row_only(kept: KeptRun) -> None:
    left = {(job, start): count for (job, _, start, _), count in _rows(kept.shown)}
    assert {run for run, count in left.items() if count != "0"} == {("leaking", "cold")}
    assert left["leaking", "cold"] == "1"
    assert re.search(r"cold run of leaking in the emulator: left in the function's process: socket ", kept.shown)
    assert "cold run of leaking in the emulator: left open on the server: 1 of the jobs' connections" in kept.shown


def test_the_suggested_commands_work(kept: KeptRun) -> None:
    tried, rolled_back, ledger = (
        kept.typed(kept.suggested(label)) for label in ("run a job", "and roll it back", "look at the ledger")
    )
    assert (tried.returncode, tried.stdout.splitlines()[0]) == (0, "pulse done"), tried.stdout + tried.stderr
    assert (rolled_back.returncode, rolled_back.stdout.splitlines()[0]) == (0, "pulse dry_run"), rolled_back.stderr
    assert re.search(r"^window_start +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", ledger.stdout, re.MULTILINE), ledger.stderr
    assert "…" not in ledger.stdout


def test_a_new_job_runs_as_it_is_saved_and_keeps_its_data(kept: KeptRun) -> None:
    unknown = kept.typed("python -m local.try_job archive")
    assert (unknown.returncode, "lambda/jobs/archive.py does not exist" in unknown.stderr) == (1, True)
    module = kept.project / "lambda" / "jobs" / "archive.py"
    module.write_text(ARCHIVE)
    migration = kept.project / "lambda" / "migrations" / "0003_archive.sql"
    migration.write_text("CREATE TABLE archive (number INT);\n")
    first = kept.typed("python -m local.try_job archive")
    assert (first.returncode, first.stderr) == (0, "")
    assert "archive is not in environments/middle.toml: it gets its default parameters" in first.stdout
    assert "applied migrations/0003_archive.sql\n" in first.stdout
    assert "archiving\n" in first.stdout
    assert re.search(r'^result +\{"archived": 1\}', first.stdout, re.MULTILINE)
    edit(module, "VALUES (1)", "VALUES (1), (2)")
    second = kept.typed("python -m local.try_job archive")
    assert re.search(r'^result +\{"archived": 3\}', second.stdout, re.MULTILINE), second.stdout + second.stderr
    assert "applied" not in second.stdout
    edit(module, '"SELECT", "INSERT"', '"SELECT",')
    refused = kept.typed("python -m local.try_job archive")
    assert refused.returncode == 1
    assert "INSERT command denied to user 'job_middle_archive'" in refused.stdout
    edit(migration, "number INT", "number BIGINT")
    edited = kept.typed("python -m local.try_job archive")
    migration.write_text("CREATE TABLE archive (number INT);\n")
    assert edited.returncode == 1
    assert "0003_archive.sql differs from the 0003_archive.sql that was applied" in edited.stderr


def test_a_job_may_not_use_the_table_of_another(kept: KeptRun) -> None:
    module = kept.project / "lambda" / "jobs" / "stray.py"
    module.write_text(STRAY)
    stray = kept.typed("python -m local.try_job stray")
    assert stray.returncode == 1
    assert "(1142, \"SELECT command denied to user 'job_middle_stray'@'localhost' for table 'event'\")" in stray.stdout
    edit(module, '"pulse": ', '"event": ("SELECT",), "pulse": ')
    assert kept.typed("python -m local.try_job stray").returncode == 0


def test_a_tried_job_that_left_work_says_how_to_go_on(kept: KeptRun) -> None:
    (kept.project / "lambda" / "jobs" / "late.py").write_text(LATE)
    at = datetime.now(UTC) - timedelta(hours=2)
    tried = kept.typed(f"make try JOB=late AT={at.isoformat()}")
    _, said, command = tried.stdout.partition("on AWS, another run would follow at once; here, ")
    assert (tried.returncode, bool(said)) == (0, True), tried.stdout + tried.stderr
    followed = kept.typed(command)
    assert (followed.returncode, followed.stdout.splitlines()[1]) == (0, "late done"), followed.stdout + followed.stderr
    assert re.search(r"^continued +1 ", followed.stdout, re.MULTILINE)
    assert "another run would follow" not in followed.stdout


def test_a_tried_job_that_fails_shows_where(kept: KeptRun) -> None:
    tried = kept.typed("python -m local.try_job failing")
    assert (tried.returncode, tried.stdout.splitlines()[0]) == (1, "failing failed")
    assert re.search(r'File "lambda/jobs/failing\.py", line \d+, in run\n', tried.stdout)
    assert tried.stdout.endswith("ValueError: not today\n")


def test_a_tried_job_that_leaves_a_connection_is_not_good(kept: KeptRun) -> None:
    tried = kept.typed("python -m local.try_job leaking")
    assert (tried.returncode, tried.stdout.splitlines()[0]) == (1, "leaking done"), tried.stderr
    assert re.search(r"^left open +1 ", tried.stdout, re.MULTILINE)


def test_a_kept_environment_ends_with_ctrl_c(kept: KeptRun) -> None:
    assert not list(kept.temporary.glob("*/code"))  # of what was tried
    assert kept.process.stdout
    os.killpg(kept.process.pid, signal.SIGINT)
    rest = kept.process.stdout.read()
    assert "A run was not good: see the table." in rest
    assert kept.process.wait(HANG_SECONDS) == 1
    assert left_behind(kept.temporary) == ([], [])
    tried = kept.typed("python -m local.try_job pulse")
    message = "no environment is up: start one in another terminal with `make run KEEP=1`\n"
    assert (tried.returncode, tried.stderr) == (1, message)


def _run(project: Path, temporary: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`make run`, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "local.run", *options],
        cwd=project,
        env=_environment(temporary),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


def _ended(moment: str, project: Path, temporary: Path, number: signal.Signals) -> tuple[int, str]:
    """`make run`, sent a signal after the line with `moment`: its status, and what it printed from then on."""
    started = _start([sys.executable, "-m", "local.run"], temporary, project)
    assert started.stdout
    with started.stdout as output:
        for line in output:
            if moment in line:
                break
        time.sleep(3 if moment == "Synthesizing" else 0)  # until jsii has made its folders
        os.killpg(started.pid, number)
        rest = output.read()
    return started.wait(HANG_SECONDS), rest


def _start(command: list[str], folder: Path, project: Path) -> subprocess.Popen[str]:
    """The command as a terminal starts it: in a process group of its own, which gets Ctrl-C."""
    return subprocess.Popen(
        command, cwd=project, env=_environment(folder), stdout=subprocess.PIPE, text=True, process_group=0
    )


def _rows(output: str) -> list[tuple[list[str], str]]:
    """Of each run in the table: job, where, start and outcome; and the connections left open."""
    lines = [line.split() for line in output.splitlines() if re.match(r"\d\d[:-]\d\d ", line)]
    rows = [(row[1:5], row[-1]) for row in lines]
    if rows[-2:-1] == rows[-1:]:
        rows.pop()  # a scheduled time that came meanwhile, now and then: one more run that the last one asked for
    return rows


def _environment(folder: Path) -> dict[str, str]:
    """A usual terminal, outside of any make, and a temporary folder that marks every process of the run."""
    usual = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{usual['PATH']}"
    return {**usual, "PATH": path, "COLUMNS": "80", "TMPDIR": str(folder)}
