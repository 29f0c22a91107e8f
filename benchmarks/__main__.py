"""`make bench`: measures what runs and tests cost beside what else one could use; writes docs/performance.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import (
    bad_ends,
    document,
    empty_run,
    first_runs,
    packages,
    picture,
    purge,
    recorded,
    starts,
    synthesis,
    unchanged,
)
from benchmarks.figures import Figures, Line, listed, with_anew
from benchmarks.ground import DOCUMENT, FOLDER, machine, versions, with_memory
from local.ending import end_as_on_ctrl_c
from local.environment import CACHE
from local.guardian import guarded
from settings.project import ROOT

FIGURES = FOLDER / "figures.json"
SUITE = FOLDER / "suite.json"
PICTURE = FOLDER / "empty-run.svg"
Progress = Callable[[str], None]


def main() -> int:
    """Run the program; returns its exit status: 0 also if a bar is not met, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="fewer rounds, in two minutes; writes nothing")
    parser.add_argument("--suite", action="store_true", help="run the whole suite, too, to say what it takes")
    parser.add_argument(
        "--first-runs", action="store_true", help="measure first runs alone; the others stay as they are"
    )
    arguments = parser.parse_args()
    console = Console(soft_wrap=True)
    end_as_on_ctrl_c()
    started = time.monotonic()

    def progress(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/dim]  {line}", highlight=False)

    try:
        with guarded():
            if arguments.suite:
                recorded.record(SUITE, progress=progress)
            if arguments.first_runs:
                figures = _first_runs_alone(fast=arguments.fast, progress=progress)
            else:
                figures = _measure(fast=arguments.fast, progress=progress)
    except KeyboardInterrupt:
        console.print("Interrupted; everything was stopped and removed.")
        return 130
    console.print(document.terminal(figures), soft_wrap=False)
    met, not_met, unknown = listed(figures.lines)
    progress(f"Bars met: {met}; not met: {not_met}; not measured: {unknown}.")
    if arguments.fast:
        progress(f"Done, with few rounds: {DOCUMENT.relative_to(ROOT)} stays as it is.")
        return 0
    write(figures)
    progress(f"Done. Written: {', '.join(str(file.relative_to(ROOT)) for file in (FIGURES, DOCUMENT, PICTURE))}")
    return 0


def write(figures: Figures) -> None:
    """Write the figures, the table in the document, and the picture."""
    FOLDER.mkdir(exist_ok=True)
    figures.write(FIGURES)
    document.write(DOCUMENT, document.markdown(figures))
    PICTURE.write_text(picture.draw(figures), encoding="utf-8")


def _measure(*, fast: bool, progress: Progress) -> Figures:
    extra = _packages(progress)
    with with_memory(progress) as server:
        runs, pieces = empty_run.measure(server, rounds=30 if fast else 100, progress=progress)
        lines: list[Line] = [
            *runs,
            *bad_ends.measure(server, rounds=1 if fast else 5, progress=progress),
            *starts.measure(extra, rounds=5 if fast else 20, progress=progress),
            *first_runs.measure(server, rounds=2 if fast else 10, progress=progress),
            *synthesis.measure(rounds=1 if fast else 5, many_jobs=not fast, progress=progress),
            *recorded.lines(SUITE),
            *unchanged.measure(rounds=1 if fast else 3, progress=progress),
            *purge.measure(server, rows=50_000 if fast else 300_000, rounds=1 if fast else 3, progress=progress),
        ]
        mysql = server.version
    return Figures(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine(),
        versions=versions(mysql),
        lines=tuple(lines),
        pieces=tuple(pieces),
    )


def _first_runs_alone(*, fast: bool, progress: Progress) -> Figures:
    """The figures as they are written, with the lines about first runs measured anew."""
    with with_memory(progress) as server:
        lines = first_runs.measure(server, rounds=2 if fast else 10, progress=progress)
    return with_anew(Figures.read(FIGURES), lines, date=f"{datetime.now(UTC):%Y-%m-%d}")


def _packages(progress: Progress) -> Path | None:
    """Where what is compared with is; None, and said so, if it can't be had."""
    try:
        folder = packages.find_or_fetch(CACHE, progress=progress)
    except packages.NotInstalled as error:
        progress(f"[yellow]Left out: {error}[/yellow]")
        return None
    sys.path.append(str(folder))
    return folder


if __name__ == "__main__":
    sys.exit(main())
