"""A program of the benchmarks in a process of its own, to which lines are written and of which lines are read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def conversation(module: str, *arguments: str, command: Sequence[str | Path] = ()) -> Iterator[tuple[IO[str], IO[str]]]:
    """Within, the program runs: its standard input and its standard output. `command`, if given, is run instead."""
    process = subprocess.Popen(
        [*(command or (sys.executable, "-m", module)), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("unreachable: both are pipes")
    try:
        yield process.stdin, process.stdout
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
