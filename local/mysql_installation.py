"""A MySQL server program for this machine: found, or fetched without root and without Docker."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local import processes

USUAL_PLACES = (
    "/usr/sbin/mysqld",
    "/opt/homebrew/opt/mysql/bin/mysqld",
    "/opt/homebrew/opt/mysql@8.4/bin/mysqld",
    "/usr/local/opt/mysql/bin/mysqld",
    "/usr/local/opt/mysql@8.4/bin/mysqld",
)
APT_CONFIGURATION = Path("/etc/apt")
DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
WAYS_OUT = "Install MySQL 8.4 or newer (on a Mac: brew install mysql), or set MYSQLD=/path/to/mysqld."
Progress = Callable[[str], None]
"""Is told what is going on, a line at a time."""


class ToolMissing(Exception):
    """There is no usable MySQL server and none can be fetched; the message names what is missing and the way out."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A MySQL server program that runs on this machine."""

    version: str
    launch: tuple[str, ...]
    """The program, behind a loader if it needs one, and the options it cannot do without."""

    def command(self, *options: str) -> list[str]:
        """The command line that runs the program with these options and those of no option file."""
        return [*self.launch, *options]


def find_or_fetch(cache: Path, *, progress: Progress) -> Installation:
    """The server that MYSQLD names, else one installed on this machine, else the one fetched into `cache`.

    Raises:
        ToolMissing: what MYSQLD names is not a MySQL server of 8.4 or newer, or there is none and none can be fetched.
    """
    if named := os.environ.get("MYSQLD"):
        try:
            return _installed(Path(named))
        except ToolMissing as reason:
            raise ToolMissing(f"MYSQLD is set, but {reason}. {WAYS_OUT}") from None
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
    # The packages need a newer C library than this machine's: theirs came along, and only their own loader uses it.
    loader = next(prefix.glob("usr/lib/*-linux-gnu/ld*.so.*"), None)
    if loader is None:
        raise ToolMissing(f"{prefix} holds no MySQL server. Delete it to have one fetched. {WAYS_OUT}")
    mysqld, share = prefix / "usr/sbin/mysqld", prefix / "usr/share/mysql"
    return _inspect(
        mysqld,
        (
            *(str(loader), "--library-path", str(loader.parent), "--argv0", str(mysqld), str(mysqld)),
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
    """Download Debian's MySQL server and unpack it into `home`, which comes into being complete or not at all."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise ToolMissing(f"No MySQL server, and without {tool} none can be fetched. {WAYS_OUT}")
    address, keyring = _debian_archive()
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f"{home.name}.") as folder:
        work = Path(folder)
        progress("Downloading a MySQL server, once (70 MB) …")
        _download("mysql-server-core", address, keyring, work)
        progress("Unpacking it …")
        for package in sorted(work.glob("archives/*.deb")):
            _run("dpkg", "-x", str(package), str(work / "prefix"))
        _unpacked(work / "prefix")
        if not home.exists():  # another command may have been faster
            (work / "prefix").rename(home)


def _download(package: str, address: str, keyring: str, work: Path) -> None:
    """Have apt download a package and all it depends on, C library included, into `work`/archives."""
    (work / "lists/partial").mkdir(parents=True)
    (work / "archives/partial").mkdir(parents=True)
    (work / "status").touch()  # nothing is installed, apt is told: so it downloads everything
    (work / "archive.sources").write_text(
        f"Types: deb\nURIs: {address}\nSuites: unstable\nComponents: main\nTargets: Packages\nSigned-By: {keyring}\n"
    )
    # The machine's own configuration stays in force (its proxy, say), but for its hooks and preferences.
    (work / "apt.conf").write_text(f"""
        Dir::State "{work}";
        Dir::State::status "{work}/status";
        Dir::Cache "{work}";
        Dir::Etc::sourcelist "{work}/archive.sources";
        Dir::Etc::sourceparts "/dev/null";
        Dir::Etc::preferences "/dev/null";
        Dir::Etc::preferencesparts "/dev/null";
        APT::Default-Release "";
        APT::Sandbox::User "root";
        APT::Update::Error-Mode "any";
        Acquire::Retries "3";
        #clear APT::Update::Post-Invoke;
        #clear APT::Update::Post-Invoke-Success;
    """)
    apt = ("apt-get", "--config-file", str(work / "apt.conf"), "--quiet")
    _run(*apt, "update")
    _run(*apt, "install", "--yes", "--no-install-recommends", "--download-only", package)


def _debian_archive() -> tuple[str, str]:
    """Address and keyring of the first Debian archive among those this machine installs from."""
    for address, components, keyring in _archives():
        # A cloud image names a file of mirrors, debian.list. Vendors' archives end alike, but have no component main.
        if re.search(r"/debian(\.list)?/?$", address) and "main" in components.split():
            return address, keyring or DEBIAN_KEYRING
    raise ToolMissing(
        f"No MySQL server, and none can be fetched: no Debian archive is configured in {APT_CONFIGURATION}. {WAYS_OUT}"
    )


def _archives() -> Iterator[tuple[str, str, str]]:
    """Address, components and keyring of each archive in apt's configuration, in either of its formats."""
    for file in (APT_CONFIGURATION / "sources.list", *sorted(APT_CONFIGURATION.glob("sources.list.d/*.list"))):
        for line in file.read_text().splitlines() if file.exists() else ():
            if entry := re.match(r"deb\s+(?:\[(.*?)\]\s*)?(\S+)\s+\S+\s+([^#]*)", line.strip()):
                keyring = re.search(r"signed-by=(\S+)", entry[1] or "")
                yield entry[2], entry[3], keyring[1] if keyring else ""
    for file in sorted(APT_CONFIGURATION.glob("sources.list.d/*.sources")):
        text = re.sub(r"^#.*\n?", "", file.read_text(), flags=re.MULTILINE)
        for stanza in re.split(r"\n\s*\n", text.strip()):
            fields = email.message_from_string(stanza)
            if "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes").lower() != "no":
                for address in fields.get("URIs", "").split():
                    yield address, fields.get("Components", ""), fields.get("Signed-By", "")


def _run(*command: str) -> None:
    try:
        processes.output(*command, seconds=None)
    except subprocess.CalledProcessError as error:
        said = f"{' '.join(command)} says:\n{processes.end_of(error.output)}"
        raise ToolMissing(f"No MySQL server, and fetching one failed. {said}\n{WAYS_OUT}") from error
