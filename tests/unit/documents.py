"""The documents, read: their blocks of shell commands, and what each says of itself."""

import re
from dataclasses import dataclass
from pathlib import Path

from stacks.settings import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("CONTRIBUTING.md")), *sorted((ROOT / "docs").glob("*.md"))]

NEEDS_AWS = "# needs AWS"
RUNS_HERE = "# runs here"
MARKS = (NEEDS_AWS, RUNS_HERE)
"""How a block of shell commands begins."""
SHELL = {"sh", "bash", "shell", "console"}

HERE = "tests/deployment/test_documents.py"
RUN_BY = {
    "make": HERE,
    "make diff BASE=main": HERE,
    "make faults": "tests/integration/test_faults.py",
    "make hooks": HERE,
    "make lab": "tests/integration/test_lab.py",
    "make lint": ".ci/run",
    "make lock": ".github/workflows/upgrade.yml",
    "make run": "tests/deployment/test_make_run.py",
    "make run KEEP=1": "tests/deployment/test_make_run.py",
    "make setup": ".github/actions/setup/action.yml",
    "make snapshots": HERE,
    "make synth": HERE,
    "make test": ".ci/run",
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


def blocks() -> list[Block]:
    """All blocks of all documents."""
    return [block for file in DOCUMENTS for block in _blocks(file)]


def commands() -> dict[str, str]:
    """The commands that run here, without their comments, and where the first of its kind is."""
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
