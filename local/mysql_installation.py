"""A MySQL server program for this machine: found, or fetched without root and without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local import debian_packages, processes
from local.debian_packages import FetchFailed, Progress

USUAL_PLACES = (
    "/usr/sbin/mysqld",
    "/opt/homebrew/opt/mysql/bin/mysqld",
    "/opt/homebrew/opt/mysql@8.4/bin/mysqld",
    "/usr/local/opt/mysql/bin/mysqld",
    "/usr/local/opt/mysql@8.4/bin/mysqld",
)
REMEDIES = "Install MySQL 8.4 or newer (on a Mac: brew install mysql), or set MYSQLD=/path/to/mysqld."


class ToolMissing(Exception):
    """There is no usable MySQL server and none can be fetched; the message names what is missing and what to do."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A MySQL server program that runs on this machine."""

    version: str
    launch: tuple[str, ...]
    """The program, behind a loader if it needs one, and the options it cannot do without."""

    def command(self, *options: str) -> list[str]:
        """Return the command line that runs the program with these options and those of no option file."""
        return [*self.launch, *options]


def find_or_fetch(cache: Path, *, progress: Progress) -> Installation:
    """Return the server that MYSQLD names, else one installed on this machine, else the one fetched into `cache`.

    Raises:
        ToolMissing: what MYSQLD names is not a MySQL server of 8.4 or newer, or there is none and none can be fetched.
    """
    if named := os.environ.get("MYSQLD"):
        try:
            return _installed(Path(named))
        except ToolMissing as reason:
            raise ToolMissing(f"MYSQLD is set, but {reason}. {REMEDIES}") from None
    for mysqld in (shutil.which("mysqld"), *USUAL_PLACES):
        if mysqld and Path(mysqld).exists():
            try:
                return _installed(Path(mysqld))
            except ToolMissing as reason:
                progress(f"Passed over: {reason}")
    home = cache / "mysql-server"
    if not home.exists():
        _fetch(home, progress)
    return _unpacked(home)


def _installed(mysqld: Path) -> Installation:
    return _inspect(mysqld, (str(mysqld), "--no-defaults"))


def _unpacked(prefix: Path) -> Installation:
    launch, share = debian_packages.launch(prefix, "usr/sbin/mysqld"), prefix / "usr/share/mysql"
    if launch is None:
        raise ToolMissing(f"{prefix} holds no MySQL server. Delete the folder, and one is fetched. {REMEDIES}")
    return _inspect(
        prefix / "usr/sbin/mysqld",
        (
            *launch,
            "--no-defaults",
            f"--basedir={prefix / 'usr'}",
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
            f"--plugin-dir={prefix / 'usr/lib/mysql/plugin'}",
        ),
    )


def _inspect(mysqld: Path, launch: tuple[str, ...]) -> Installation:
    try:
        answer = processes.output(*launch, "--version")
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolMissing(f"{mysqld} does not run ({error})") from error
    found = re.search(r"Ver ((\d+)\.(\d+)\.\d+)", answer)
    if found is None or "MariaDB" in answer or (int(found[2]), int(found[3])) < (8, 4):
        raise ToolMissing(f"{mysqld} is not MySQL 8.4 or newer (it says {answer.strip()[:200]!r})")
    return Installation(version=found[1], launch=launch)


def _fetch(home: Path, progress: Progress) -> None:
    try:
        debian_packages.fetch(
            "mysql-server-core",
            home,
            suite="unstable",  # Debian's stable has no MySQL
            check=_unpacked,
            announcement="Downloading a MySQL server, once (70 MB) …",
            progress=progress,
        )
    except FetchFailed as reason:
        raise ToolMissing(f"No MySQL server, and {reason}\n{REMEDIES}") from reason
