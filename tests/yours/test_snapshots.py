"""What the team's environments deploy is what was last accepted. `make snapshots` accepts what they deploy now."""

import difflib
from itertools import islice
from pathlib import Path

import pytest

from documents.snapshots import accepted, snapshots

SHOWN = 40
"""Lines of a file's difference that are shown."""


def test_snapshots_are_accepted(assembly: Path) -> None:
    before, now = accepted(), snapshots(assembly)
    changed = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    if changed:
        differences = (line for name in changed for line in _difference(name, before, now))
        pytest.fail(
            "\n".join((*differences, "", "Run make snapshots, and review: git diff tests/snapshots")), pytrace=False
        )


def _difference(name: str, before: dict[str, str], now: dict[str, str]) -> list[str]:
    if name not in now:
        return [f"tests/snapshots/{name}: nothing deploys it any more"]
    if name not in before:
        return [f"tests/snapshots/{name}: new"]
    lines = difflib.unified_diff(
        before[name].splitlines(), now[name].splitlines(), f"tests/snapshots/{name}", "now", n=0, lineterm=""
    )
    return [line[:200] for line in islice(lines, SHOWN)]
