"""A MariaDB server program for this machine: found, or fetched without root and without Docker."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local import debian_packages, processes
from local.debian_packages import FetchFailed, Progress

SUITE = "trixie"
"""The Debian release that the server comes from: MariaDB 11.8."""
USUAL_PLACES = ("/usr/sbin/mariadbd", "/opt/homebrew/opt/mariadb/bin/mariadbd", "/usr/local/opt/mariadb/bin/mariadbd")
WHAT_TO_DO = "Install MariaDB (on a Mac: brew install mariadb)."


class ToolMissing(Exception):
    """There is no usable MariaDB server and none can be fetched; the message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A MariaDB server program that runs on this machine."""

    version: str
    launch: tuple[str, ...]
    """The program, behind a loader if it needs one, and its required options."""
    system_tables: tuple[Path, ...]
    """The SQL files that make the database `mysql`, in their order."""


def find_or_fetch(cache: Path, *, progress: Progress) -> Installation:
    """Return the server installed on this machine, else the one fetched into `cache`.

    Raises:
        ToolMissing: there is none and none can be fetched.
    """
    for mariadbd in (shutil.which("mariadbd"), *USUAL_PLACES):
        if mariadbd and Path(mariadbd).exists():
            try:
                return _inspect(Path(mariadbd).resolve().parents[1], (mariadbd,))
            except ToolMissing as reason:
                progress(f"Passed over: {reason}")
    home = cache / "mariadb-server"
    if not home.exists():
        _fetch(home, progress)
    return _unpacked(home)


def _fetch(home: Path, progress: Progress) -> None:
    try:
        debian_packages.fetch(
            "mariadb-server-core",
            home,
            suite=SUITE,
            check=_unpacked,
            announcement="Downloading a MariaDB server, once (16 MB) …",
            progress=progress,
        )
    except FetchFailed as reason:
        raise ToolMissing(f"No MariaDB server, and {reason}\n{WHAT_TO_DO}") from reason


def _unpacked(prefix: Path) -> Installation:
    launch = debian_packages.launch(prefix, "usr/sbin/mariadbd")
    if launch is None:
        raise ToolMissing(f"{prefix} has no MariaDB server. Delete it, and it is fetched again. {WHAT_TO_DO}")
    return _inspect(prefix / "usr", launch)


def _inspect(base: Path, launch: tuple[str, ...]) -> Installation:
    """Return the program that `launch` starts, whose files are below `base`."""
    try:
        answer = processes.output(*launch, "--version")
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolMissing(f"{launch[-1]} does not run ({error})") from error
    found = re.search(r"Ver (\d+\.\d+\.\d+)-MariaDB", answer)
    # Called mysql_… up to MariaDB 10.11, mariadb_… since.
    tables, data = (next(base.glob(f"share/*/m*_system_tables{part}.sql"), None) for part in ("", "_data"))
    if not (found and tables and data):
        raise ToolMissing(f"{launch[-1]} is not a complete MariaDB server (its answer: {answer.strip()[:200]!r})")
    options = ("--no-defaults", f"--basedir={base}", f"--lc-messages-dir={tables.parent}")
    return Installation(version=found[1], launch=(*launch, *options), system_tables=(tables, data))
