"""What every function's zip holds: the engine, PyMySQL, the certificate authorities of one region, and the team's jobs.

Bundled from the repository and from the wheels that `make setup` keeps, checked against the pinned hashes each time: no
Docker, no network, the same bytes every time. Apart from the construct that uploads it: `make try` bundles, too, and
has no time to import the CDK.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from zipfile import ZipFile

from packages.locks import PackageSet
from settings.project import ENGINE, ROOT, Project
from stacks.jobs.pinned_wheel import pinned_wheel

DEPENDENCY = "PyMySQL"
"""Pure Python, so its wheel runs everywhere. Without `cryptography`: TLS makes it unnecessary."""
SCHEDULES = ("__init__.py", "schedule.py")
"""Of settings/, what runs in AWS, too. It imports nothing but the standard library."""


def bundle(
    folder: Path,
    *,
    project: Project,
    region: str,
    packages: PackageSet | None = None,
    files: Mapping[str, str] = MappingProxyType({}),
    certificates: str | None = None,
) -> None:
    """Write what the zip holds into `folder`.

    `packages` are whole, with their data files and metadata. `files` by name are what a function is told that doesn't
    fit a variable. `certificates`, a file beside the environments', has authorities that an existing database's
    certificate is verified with, besides the region's: a proxy has one of AWS.

    Raises:
        SettingsError: the wheel of PyMySQL is not there, or not the pinned one.
        packages.requirements.PackagesError: a wheel of `packages` is not there, or not the locked one.
    """
    for each in () if packages is None else packages.wheels:
        each.unpack(folder)
    with pinned_wheel(DEPENDENCY) as wheel:
        wheel.extractall(folder, _needed(wheel))
    for source, target in _sources(project, region):
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / target)
    if certificates is not None:
        known = folder / "mysql_jobs" / "certificates" / f"{region}.pem"
        known.write_text(f"{known.read_text()}{(project.environments / certificates).read_text()}")
    for name, text in files.items():
        (folder / name).write_text(text)
    _make_readable(folder)


def _make_readable(folder: Path) -> None:
    """Give all in `folder` the same modes, whatever the umask here: they are in the zip, and another user reads it."""
    for path in folder.rglob("*"):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)


def _sources(project: Project, region: str) -> Iterator[tuple[Path, Path]]:
    """What is copied, and where to."""
    for pattern in ("*.py", "outside/*.py", "migrations/*.sql", f"certificates/{region}.pem"):
        for source in ENGINE.glob(pattern):
            yield source, source.relative_to(ENGINE.parent)
    # How schedules are read: a run knows by it whether another is due.
    for name in SCHEDULES:
        yield ROOT / "settings" / name, Path("settings", name)
    # Not an editor's own, like .#purge_expired.py, a link to nothing.
    for target, folder, pattern in (
        ("jobs", project.jobs, "[!.]*.py"),
        ("migrations", project.migrations, "[!.]*.sql"),
    ):
        for source in folder.glob(pattern):
            yield source, Path(target, source.name)


def _needed(wheel: ZipFile) -> list[str]:
    """What of a package runs, and its license."""
    return [name for name in wheel.namelist() if name.endswith(".py") or PurePosixPath(name).name == "LICENSE"]
