"""`make lab`: reproduces how each way to handle a connection fails; shows a table, and writes it into the documents."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console

from lab import incident_bench, incident_environment, mariadb_installation, node_installations, pictures, table
from lab.bench import ROOT, NotReproduced
from lab.experiment import conduct
from local.emulator import EmulatorError
from local.ending import end_as_on_ctrl_c
from local.guardian import guarded
from local.mysql_installation import ToolMissing
from local.server_start import StartFailed

DOCUMENT = ROOT / "docs" / "why-destroy.md"
FIGURES = ROOT / "docs" / "lab" / "figures.json"

WHAT_IT_SAYS = """\
[bold]the next run[/bold]: what Lambda shows of the first run after that. [bold]held[/bold]: the function's \
connections that were open on the server while it was frozen, or gone. [bold]still running[/bold]: its statements \
that the server still worked on."""


def main() -> int:
    """Run the program; returns its exit status: 0, 1 if a situation did not occur, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make lab", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="scale timeouts down, write nothing (make lab FAST=1)")
    arguments = parser.parse_args()
    console = Console(soft_wrap=True)
    end_as_on_ctrl_c()
    try:
        with guarded():
            _main(console, fast=arguments.fast)
    except KeyboardInterrupt:
        console.print("Interrupted; everything was stopped and removed.")
        return 130
    except (
        NotReproduced,
        StartFailed,
        ToolMissing,
        EmulatorError,
        mariadb_installation.ToolMissing,
        node_installations.ToolMissing,
        incident_bench.NotReproduced,
        incident_environment.NotStarted,
        table.MarkerMissing,
    ) as error:
        console.print(f"[red]Failed:[/red] {type(error).__name__}", highlight=False)
        console.print(str(error), markup=False, highlight=False)
        return 1
    return 0


def _main(console: Console, *, fast: bool) -> None:
    started = time.monotonic()

    def progress(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/dim]  {line}", highlight=False)

    figures = conduct(fast=fast, progress=progress)
    console.print(table.terminal(figures), soft_wrap=False)
    console.print(table.rates(figures), soft_wrap=False)
    console.print(WHAT_IT_SAYS, soft_wrap=False, highlight=False)
    if fast:
        progress(f"Done. Timeouts were scaled down: {DOCUMENT.relative_to(ROOT)} stays as it is.")
        return
    FIGURES.parent.mkdir(exist_ok=True)
    figures.write(FIGURES)
    table.write(DOCUMENT, figures)
    written = [FIGURES, DOCUMENT, *pictures.write(FIGURES.parent, figures)]
    progress(f"Done. Written: {', '.join(str(Path(file).relative_to(ROOT)) for file in written)}")


if __name__ == "__main__":
    sys.exit(main())
