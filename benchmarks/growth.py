"""`make bench SCALE=1`: how it grows, with environments at once, runs in a row and rows; writes docs/performance.md."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from rich.console import Console

from benchmarks import document, growth_picture, large_tables, many_runs, together
from benchmarks.curves import Growth
from benchmarks.ground import DOCUMENT, FOLDER, machine, versions, with_memory
from local.ending import end_as_on_ctrl_c
from local.guardian import guarded
from settings.project import ROOT

FIGURES = FOLDER / "growth.json"
PICTURE = FOLDER / "growth.svg"
ENVIRONMENTS = (1, 10, 50, 100, 200)
RUNS, PIECES = 100_000, 5
PURGE_ROWS = (1_000_000, 5_000_000)
ROLLUP_EVENTS = (1_000_000, 10_000_000)


def main() -> int:
    """Run the program; takes about an hour. Returns its exit status: 0, or 130 after Ctrl-C."""
    console = Console(soft_wrap=True)
    end_as_on_ctrl_c()
    started = time.monotonic()

    def progress(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.0f} s[/dim]  {line}", highlight=False)

    try:
        with guarded(), with_memory(progress) as server:
            growth = Growth(
                date=f"{datetime.now(UTC):%Y-%m-%d}",
                machine=machine(),
                versions=versions(server.version),
                curves=(
                    *together.measure(server, sizes=ENVIRONMENTS, progress=progress),
                    *many_runs.measure(server, runs=RUNS, pieces=PIECES, progress=progress),
                    *large_tables.measure(
                        server, purge_rows=PURGE_ROWS, rollup_events=ROLLUP_EVENTS, progress=progress
                    ),
                ),
            )
    except KeyboardInterrupt:
        console.print("Interrupted; everything was stopped and removed.")
        return 130
    for table in document.growth_terminal(growth):
        console.print(table, soft_wrap=False)
    write(growth)
    progress(f"Done. Written: {', '.join(str(file.relative_to(ROOT)) for file in (FIGURES, DOCUMENT, PICTURE))}")
    return 0


def write(growth: Growth) -> None:
    """Write the figures, the tables in the document, and the picture."""
    FOLDER.mkdir(exist_ok=True)
    growth.write(FIGURES)
    document.write(DOCUMENT, document.growth_markdown(growth), begin=document.BEGIN_GROWTH)
    PICTURE.write_text(growth_picture.draw(growth), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
