"""The documents, read: their blocks of shell commands, and what each says of itself."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from settings.project import ROOT

README = ROOT / "README.md"
README_IS_A_TEAMS = not README.exists() or not README.read_text().startswith("# mysql-jobs\n")
"""A team writes its own over it: what that says is not for the engine's tests to judge."""
DOCUMENTS = [
    *([] if README_IS_A_TEAMS else [README]),
    *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]

NEEDS_AWS = "# needs AWS"
RUNS_HERE = "# runs here"
MARKS = (NEEDS_AWS, RUNS_HERE)
"""How a block of shell commands begins."""
SHELL = {"sh", "bash", "shell", "console"}

HERE = "tests/documents/test_commands.py"
RUN_BY = {
    "make": HERE,
    "make bench": "tests/benchmarks/test_command.py",
    "make clone": "tests/test_upgrade.py",
    "make deployment": ".ci/run",
    "make diff BASE=main": HERE,
    "make docs": HERE,
    "make faults": "tests/lab/test_faults.py",
    "make format": HERE,
    "make gameday ENV=local": "tests/gameday/test_game_day.py",
    "make hooks": HERE,
    "make integration": ".ci/run",
    "make job NAME=archive_invoices": "tests/scaffold/test_command.py",
    "make lab": "tests/lab/test_lab.py",
    "make lint": ".ci/run",
    "make lock": ".github/workflows/upgrade.yml",
    "make mutants": "tests/lab/test_mutants.py",
    "make rehearse MIGRATION=0004 ROWS=1000000": "tests/rehearsal/test_measure.py",
    "make torture": "tests/lab/test_torture.py",
    "make run": "tests/local/test_make_run.py",
    "make run KEEP=1": "tests/local/test_make_run.py",
    "make setup": ".github/actions/setup/action.yml",
    "make snapshots": HERE,
    "make synth": HERE,
    "make synthesis": ".ci/run",
    "make test": ".ci/run",
    "make try JOB=archive_invoices": "tests/local/test_make_run.py",
    "make unit": ".ci/run",
    "make upgrade VERSION=v0.2.0": "tests/test_upgrade.py",
}
"""The commands that the documents say run here, and what runs each."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Lines between a document's fences."""

    document: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        """Where it is."""
        return f"{self.document}:{self.line}"

    @property
    def is_shell(self) -> bool:
        """Whether it is for a shell."""
        return self.kind in SHELL

    @property
    def mark(self) -> str:
        """What its first line says it needs, or nothing."""
        return next((mark for mark in MARKS if self.text.startswith(mark)), "")


def blocks(documents: Iterable[Path] = DOCUMENTS) -> list[Block]:
    """Return all blocks of `documents`, of all by default."""
    return [block for file in documents for block in _blocks(file)]


def commands() -> dict[str, str]:
    """Return the commands that run here, without their comments, and where each stands first."""
    found: dict[str, str] = {}
    for block in blocks():
        if block.mark == RUNS_HERE:
            for line in block.text.replace("\\\n", " ").splitlines():
                if command := re.sub(r"(^|\s+)#.*", "", line).strip():
                    found.setdefault(command, str(block))
    return found


def _blocks(file: Path) -> list[Block]:
    text = file.read_text()
    return [
        Block(
            document=str(file.relative_to(ROOT)),
            line=text.count("\n", 0, match.start()) + 1,
            kind=match["kind"],
            text=re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE),
        )
        for match in re.finditer(
            r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^ *```$", text, re.MULTILINE | re.DOTALL
        )
    ]
