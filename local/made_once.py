"""What takes long to make is made once, and then used by every process that needs it."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


def made_once(folder: Path, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder `name` in `folder`, which `make` fills: in the process that comes first; the others wait.

    Raises:
        What `make` raises: the next process tries anew.
    """
    made, unfinished = folder / name, folder / f"{name}.unfinished"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel lets go of it when the process ends
        if not made.exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(made)
    return made
