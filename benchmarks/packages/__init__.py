"""What the benchmarks compare with and nothing else here needs: in a folder of its own, so that it changes nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from local import processes

PINS = Path(__file__).parent / "requirements.txt"


class NotInstalled(Exception):
    """They are not there and can't be fetched; the message says why."""


def find_or_fetch(cache: Path, *, progress: Callable[[str], None]) -> Path:
    """Return the folder that they are in, for PYTHONPATH; fetched into `cache` if they are not there yet.

    Raises:
        NotInstalled: pip could not fetch them.
    """
    home = cache / "benchmarks"
    pins = home / PINS.name
    if pins.exists() and pins.read_bytes() == PINS.read_bytes():
        return home
    progress("Downloading what is compared with, once (40 MB) …")
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f"{home.name}.") as folder:
        work = Path(folder) / "work"
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary=:all:"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(work), "--requirement", str(PINS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstalled(f"pip could not fetch {PINS.name}: {processes.end_of(done.stdout + done.stderr)}")
        shutil.copy(PINS, work)
        if home.exists():
            shutil.rmtree(home)
        work.rename(home)
    return home
