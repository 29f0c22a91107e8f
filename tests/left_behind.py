"""What a program leaves on this machine: processes, and files in its temporary folder."""

import time
from pathlib import Path


def left_behind(folder: Path) -> tuple[list[str], list[str]]:
    """Processes that were started with `folder` as their temporary folder, and what is in it."""
    end = time.monotonic() + 10  # a killed process takes a moment to be reaped, and its guardian, to clean up
    while (processes := _marked(str(folder))) and time.monotonic() < end:
        time.sleep(0.1)
    return processes, sorted(path.name for path in folder.iterdir())


def _marked(text: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            marked = text.encode() in (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:  # ended meanwhile, or another user's
            continue
        if marked:
            found.append(f"{process.name} {(process / 'cmdline').read_bytes()!r}")
    return found
