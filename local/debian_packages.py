"""Programs from Debian's archive, unpacked into a folder of their own, without root; nothing is installed."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from local import processes

CONFIGURATION = Path("/etc/apt")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
Progress = Callable[[str], None]
"""Gets each line of progress."""


class FetchFailed(Exception):
    """A program cannot be fetched; the message names what is missing, and can follow "There is none, and"."""


def fetch(
    package: str,
    home: Path,
    *,
    suite: str,
    check: Callable[[Path], object],
    announcement: str,
    progress: Progress,
) -> None:
    """Download a package and all it needs, and unpack it into `home`, which is made complete or not at all.

    It comes from `suite` of the Debian archive that apt's CONFIGURATION names. `check` is given the unpacked
    folder and raises if it is of no use. `announcement` goes to `progress` before the download.

    Raises:
        FetchFailed: there is no apt, no archive of Debian's, or the download failed.
    """
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise FetchFailed(f"without {tool} none can be fetched.")
    address, keyring = _debian_archive()
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f"{home.name}.") as folder:
        work = Path(folder)
        progress(announcement)
        _download(package, suite, address, keyring, work)
        progress("Unpacking it …")
        for archive in sorted(work.glob("archives/*.deb")):
            _run("dpkg", "-x", str(archive), str(work / "prefix"))
        check(work / "prefix")
        if not home.exists():  # another command may have been faster
            (work / "prefix").rename(home)


def launch(prefix: Path, program: str) -> tuple[str, ...] | None:
    """Return the command that starts a program in an unpacked folder; None if the folder holds no loader.

    The packages may need a newer C library than this machine's: theirs came along, and only their own loader uses it.
    """
    loader = next(prefix.glob("usr/lib/*-linux-gnu/ld*.so.*"), None)
    if loader is None:
        return None
    path = str(prefix / program)
    return str(loader), "--library-path", str(loader.parent), "--argv0", path, path


def _download(package: str, suite: str, address: str, keyring: str, work: Path) -> None:
    """Let apt download a package and all it depends on, C library included, into `work`/archives."""
    (work / "lists/partial").mkdir(parents=True)
    (work / "archives/partial").mkdir(parents=True)
    (work / "status").touch()  # nothing is installed, apt is told: so it downloads everything
    (work / "archive.sources").write_text(
        f"Types: deb\nURIs: {address}\nSuites: {suite}\nComponents: main\nTargets: Packages\nSigned-By: {keyring}\n"
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
    """Return address and keyring of the first Debian archive among those this machine installs from."""
    for address, components, keyring in _archives():
        # A cloud image names a file of mirrors, debian.list. Vendors' archives end alike, but have no component main.
        if re.search(r"/debian(\.list)?/?$", address) and "main" in components.split():
            return address, keyring or KEYRING
    raise FetchFailed(f"none can be fetched: no Debian archive is configured in {CONFIGURATION}.")


def _archives() -> Iterator[tuple[str, str, str]]:
    """Yield address, components and keyring of each archive in apt's configuration, in either of its formats."""
    for file in (CONFIGURATION / "sources.list", *sorted(CONFIGURATION.glob("sources.list.d/*.list"))):
        for line in file.read_text().splitlines() if file.exists() else ():
            if entry := re.match(r"deb\s+(?:\[(.*?)\]\s*)?(\S+)\s+\S+\s+([^#]*)", line.strip()):
                keyring = re.search(r"signed-by=(\S+)", entry[1] or "")
                yield entry[2], entry[3], keyring[1] if keyring else ""
    for file in sorted(CONFIGURATION.glob("sources.list.d/*.sources")):
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
        raise FetchFailed(f"fetching one failed. {said}") from error
