"""What a user passes to make reaches the programs as it was written, and their exit status comes back."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from settings.project import ROOT

# A program in the place of Python, which writes down how it was called.
RECORDER = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["CALLS"], "w") as calls:
    json.dump(sys.argv[1:], calls)
sys.exit(int(os.environ.get("STATUS", "0")))
"""

VALUES = (
    "feature/$x",
    "feature/$$x",
    "$(shell touch {mark})",
    "$(error no)",
    "${{HOME}}",
    "`touch {mark}`",
    "a'b\"c",
    "two words ",
    "x; touch {mark}",
    "x && touch {mark} #",
    "--help",
    "-x",
    "*",
    "\\$x\\",
    "$(",
    "ü\nx",
)
"""With what a shell, make or a parser of arguments would do something of its own."""

TARGETS = {
    "diff BASE ACCEPT": ["-m", "review.diff", "--base={}", "--accept={}"],
    "diff ENV": ["-m", "delivery.diff", "--", "{}"],
    "deploy ENV ACCEPT": ["-m", "delivery.deploy", "--accept={}", "--", "{}"],
    "destroy ENV": ["-m", "delivery.destroy", "--", "{}"],
    "bootstrap ENV": ["-m", "delivery.bootstrap", "--", "{}"],
    "adopt ENV IDENTIFIER REGION": ["-m", "adoption", "--region={}", "--", "{}", "{}"],
    "delivery ENV": ["-m", "delivery.roles", "--", "{}"],
    "gameday ENV": ["-m", "gameday", "--", "{}"],
    "run ENV": ["-m", "local.run", "--environment={}"],
    "job NAME ENV": ["-m", "scaffold", "--environment={}", "--", "{}"],
    "try JOB AT EVENT": ["-m", "local.try_job", "--at={}", "--event={}", "--", "{}"],
    "rehearse MIGRATION ROWS": ["-m", "rehearsal.measure", "--rows={}", "--", "{}"],
    "doctor ENV": ["-m", "delivery.doctor", "--", "{}"],
    "migrate-resolve ENV MIGRATION STATEMENT": ["-m", "delivery.migrate_resolve", "--", "{}", "{}", "{}"],
    "upgrade VERSION": ["-m", "scaffold.upgrade", "--", "{}"],
}
"""The variables that each target takes, and the call that it makes."""


class Makefile:
    """The project's, where every Python is a recorder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls, self.mark = folder, folder / "calls", folder / "mark"
        shutil.copy(ROOT / "Makefile", folder)
        python = folder / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(RECORDER)
        python.chmod(0o755)
        for name in ("requirements-dev.txt", "package-lock.json", ".venv/ready"):
            (folder / name).touch()

    def make(
        self, *arguments: str, status: int = 0, variables: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        given = {**inherited, "CALLS": str(self.calls), "STATUS": str(status), **variables}
        command = ["make", "--old-file=.venv/wheels/ready", *arguments]
        return subprocess.run(command, cwd=self.folder, env=given, capture_output=True, text=True, check=False)

    def called(self) -> list[str]:
        found: list[str] = json.loads(self.calls.read_text())
        return found


@pytest.fixture
def makefile(tmp_path: Path) -> Makefile:
    return Makefile(tmp_path)


@pytest.mark.parametrize("value", VALUES)
def test_make_expands_nothing_of_a_base(value: str, makefile: Makefile) -> None:
    value = value.format(mark=makefile.mark)
    done = makefile.make("diff", f"BASE={value}", f"ACCEPT={value}")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert makefile.called() == ["-m", "review.diff", f"--base={value}", f"--accept={value}"]
    assert not makefile.mark.exists()


@pytest.mark.parametrize("target", TARGETS)
def test_make_expands_nothing_that_any_target_takes(target: str, makefile: Makefile) -> None:
    name, *variables = target.split()
    value = f"-a$x '$(shell touch {makefile.mark})' `touch {makefile.mark}` \"; touch {makefile.mark}"
    expected = [each.replace("{}", value) for each in TARGETS[target]]
    done = makefile.make(name, *(f"{each}={value}" for each in variables))
    assert done.returncode == 0, done.stderr
    assert makefile.called() == expected
    # And from the environment, where make looks, too.
    makefile.calls.unlink()
    done = makefile.make(name, variables=dict.fromkeys(variables, value))
    assert done.returncode == 0, done.stderr
    assert makefile.called() == expected
    assert not makefile.mark.exists()


def test_every_variable_that_a_target_hands_on_is_tried_here() -> None:
    text = (ROOT / "Makefile").read_text()
    taken = {name for line in text.splitlines() if "python -m" in line for name in _taken(line)}
    assert taken == {name for target in TARGETS for name in target.split()[1:]} | {"TORTURE"}


def _taken(line: str) -> list[str]:
    return [part.partition('"')[0].strip("{}").partition(":")[0] for part in line.split('"$$')[1:]]


@pytest.mark.parametrize(("status", "end"), [(0, 0), (3, 0), (4, 2), (2, 2), (70, 2), (1, 2), (130, 2)])
@pytest.mark.parametrize("what", ["BASE=main", "ENV=basic"])
def test_make_diff_ends_well_with_or_without_changes_and_else_not(
    what: str, status: int, end: int, makefile: Makefile
) -> None:
    assert makefile.make("diff", what, status=status).returncode == end


@pytest.mark.parametrize(("status", "end"), [(0, 0), (1, 2), (2, 2), (3, 2), (70, 2), (130, 2)])
def test_make_deploy_ends_well_only_if_it_is_deployed(status: int, end: int, makefile: Makefile) -> None:
    assert makefile.make("deploy", "ENV=basic", status=status).returncode == end


@pytest.mark.parametrize(("yes", "said"), [("1", True), ("0", False), ("", False), ("$(x)1", False)])
def test_only_1_is_yes(yes: str, said: bool, makefile: Makefile) -> None:
    makefile.make("deploy", "ENV=basic", f"YES={yes}")
    assert ("--yes" in makefile.called()) == said
