"""Which tests read what is the team's: no others, so what a team writes can't break a test of the engine.

Seen is what this process opens and lists, by its whole path. What a test starts works on a copy of the engine
(tests/working_copy.py) or on the fixture's project.
"""

import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from scaffold.upgrade import YOURS
from settings.project import ROOT

READERS = (
    "tests/benchmarks/test_growth.py",  # measures the examples, as long as they are there; and so the next one
    "tests/benchmarks/test_measures.py",
    "tests/documents/documents.py",  # the README, whoever wrote it; and so the next two
    "tests/documents/test_documents.py",
    "tests/documents/test_proof.py",
    "tests/jobs/",
    "tests/test_imports.py",  # what no file of the repository may name
    "tests/testkit/test_job.py",  # a team's package of jobs beside the engine's
    "tests/yours/",
)
"""What of tests/ takes a team's own files as they are: tests/test_upgrade.py runs it on those of another team."""

os.environ.pop("PYTEST_CURRENT_TEST", None)  # of the test that has started this process
EVENTS = ("open", "os.listdir", "os.scandir")
"""https://docs.python.org/3/library/audit_events.html"""
_YOURS = tuple(f"{ROOT / path}/" for path in YOURS)
_TESTS = f"{ROOT}/tests/"


class ReadsWhatIsYours(Exception):
    """A test of the engine reads what a team writes; the message says which, and what."""


def audit(event: str, arguments: tuple[Any, ...]) -> None:
    """For `sys.addaudithook`: whoever reads what it shall not gets an error in the place of the content."""
    if event not in EVENTS or not isinstance(arguments[0], str | os.PathLike):
        return
    path = os.fspath(arguments[0])
    if f"{path}/".startswith(_YOURS) and (reader := _reader()) and not reader.startswith(READERS):
        raise ReadsWhatIsYours(f"{reader} reads {Path(path).relative_to(ROOT)}: tests have a project of their own")


def _reader() -> str:
    """The file of the test that runs, else the one that is imported; none while a copy is made, or no test is about."""
    frame: FrameType | None = sys._getframe()
    importing = ""
    while frame:
        file = frame.f_code.co_filename.removeprefix(_TESTS)
        if file == "working_copy.py":
            return ""
        if file not in (frame.f_code.co_filename, "audit.py"):
            importing = importing or f"tests/{file}"
        frame = frame.f_back
    return os.environ.get("PYTEST_CURRENT_TEST", importing).partition("::")[0]
