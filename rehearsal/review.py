"""python -m rehearsal.review BASE CHANGE: what the migrations of one checkout do that another does not have, as JSON.

A program of its own: `make diff` starts it where migrations changed, and needs no database otherwise.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from local import mysql_installation
from local.environment import CACHE
from local.mysql_installation import ToolMissing
from local.mysql_server import MySQLServer
from rehearsal.finding import Finding
from rehearsal.jobs import broken
from rehearsal.trial import Trial
from rehearsal.versions import Versions, compare
from settings.project import Project


def main() -> None:
    """Print the findings."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.review", description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("change", type=Path)
    arguments = parser.parse_args()
    findings = review(arguments.base, arguments.change)
    json.dump([asdict(each) for each in findings], sys.stdout)


def review(base: Path, change: Path) -> list[Finding]:
    """Return what the checkout `change` brings that `base` does not have; without new migrations nothing is started."""
    versions = compare(base, change)
    if versions.mistakes or not versions.new:
        return list(versions.mistakes)
    try:
        installation = mysql_installation.find_or_fetch(CACHE, progress=_progress)
    except ToolMissing as error:
        return [Finding(kind="unclassified", place=each.file, text=f"was not tried: {error}") for each in versions.new]
    with (
        tempfile.TemporaryDirectory(prefix="rehearsal-") as folder,
        MySQLServer.start(installation, Path(folder), progress=_progress) as server,
    ):
        found = [*_tried(server, versions), *broken(server, Project(base), Project(change))]
    return list(dict.fromkeys(found))  # two statements of a file may be said to do the same


def _tried(server: MySQLServer, versions: Versions) -> Iterator[Finding]:
    with Trial.on(server) as trial:
        yield from trial.apply(versions.merged)
        for migration in versions.new:
            yield from trial.findings(migration)


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
