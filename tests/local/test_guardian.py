"""A guarded command leaves neither programs nor files, however it ends and whatever it started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from settings.project import ROOT
from tests.left_behind import left_behind

HANG_SECONDS = 60
COMMAND = """
import os, signal, subprocess, sys, tempfile, threading
from pathlib import Path
from local.ending import end_as_on_ctrl_c
from local.guardian import guarded, mark

def start(*command, **how):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, **how)

end_as_on_ctrl_c()
with guarded() as folder:
    assert Path(tempfile.mkdtemp()).parent == folder
    start("sh", "-c", "mktemp -d; sleep 600 & exec sleep 600", start_new_session=True)
    start("sleep", "600", env={**mark(), "PATH": os.defpath}, start_new_session=True)
    thread = threading.Thread(target=start, args=("sleep", "600"), kwargs={"start_new_session": True})
    thread.start()
    thread.join()
    frozen = start("sleep", "600", start_new_session=True)
    os.kill(frozen.pid, signal.SIGSTOP)
    END
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("os._exit(4)", 4),
        *((f"os.kill(os.getpid(), {number:d})", -signal.SIGINT) for number in (signal.SIGTERM, signal.SIGHUP)),
        ("os.killpg(0, signal.SIGINT)", -signal.SIGINT),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.killpg(0, signal.SIGKILL)", -signal.SIGKILL),
    ],
    ids=["end", "exit", "crash", "TERM", "HUP", "Ctrl-C", "KILL", "KILL to its group"],
)
def test_nothing_is_left_of_a_command(end: str, status: int, tmp_path: Path) -> None:
    assert _command(COMMAND.replace("END", end), tmp_path).returncode == status
    assert left_behind(tmp_path) == ([], [])


def test_a_command_in_a_command_is_cleaned_up_after_by_either(tmp_path: Path) -> None:
    inner = "from local.guardian import guarded\nwith guarded(): input('up\\n')"
    outer = f"""
import os, signal, subprocess, sys
from local.guardian import guarded
with guarded():
    command = subprocess.Popen([sys.executable, "-c", {inner!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    command.stdout.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert _command(outer, tmp_path).returncode == -signal.SIGKILL
    assert left_behind(tmp_path) == ([], [])


def test_a_program_of_another_command_is_spared(tmp_path: Path) -> None:
    beside = "from local.guardian import guarded\nwith guarded(): input('up\\n'); print('still up')"
    with subprocess.Popen(
        [sys.executable, "-c", beside], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "up\n"
        _command(COMMAND.replace("END", "os._exit(1)"), tmp_path)
        assert left_behind(tmp_path) == ([], [])
        assert other.communicate("\n", timeout=HANG_SECONDS)[0] == "still up\n"


def test_after_the_block_the_temporary_folder_is_the_old_one(tmp_path: Path) -> None:
    script = """
import os, tempfile
from local.guardian import guarded
before = tempfile.gettempdir(), dict(os.environ)
with guarded():
    pass
assert (tempfile.gettempdir(), dict(os.environ)) == before
"""
    assert _command(script, tmp_path).returncode == 0


def test_a_command_ends_when_the_make_that_started_it_is_killed(tmp_path: Path) -> None:
    (tmp_path / "command.py").write_text(
        COMMAND.replace("END", "(folder / 'up').touch(); print('up', flush=True); signal.pause()")
    )
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"up:\n\t@{sys.executable} {tmp_path / 'command.py'}\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    # Of the make that runs the tests: this one would say which folder it enters.
    alone = {name: value for name, value in environment.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    with subprocess.Popen(["make", "-f", makefile], env=alone, stdout=subprocess.PIPE, text=True) as make:
        assert make.stdout
        assert make.stdout.readline() == "up\n"
        make.kill()
    assert left_behind(temporary) == ([], [])


def test_a_second_request_to_end_does_not_disturb_the_first(tmp_path: Path) -> None:
    script = """
import os, signal
from local.ending import end_as_on_ctrl_c
end_as_on_ctrl_c()
try:
    os.kill(os.getpid(), signal.SIGTERM)
finally:
    os.kill(os.getpid(), signal.SIGTERM)
    os._exit(7)
"""
    assert _command(script, tmp_path).returncode == 7


def test_nohup_stays_in_force(tmp_path: Path) -> None:
    script = """
import os, signal
from local.ending import end_as_on_ctrl_c
signal.signal(signal.SIGHUP, signal.SIG_IGN)
end_as_on_ctrl_c()
os.kill(os.getpid(), signal.SIGHUP)
"""
    assert _command(script, tmp_path).returncode == 0


def _command(script: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        process_group=0,
        timeout=HANG_SECONDS,
        text=True,
        check=False,
    )
