"""make setup: fetches the locked wheels that are missing, and unpacks those of this machine for the tests of jobs."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packages.locks import lock_file, read_lock
from packages.requirements import PackagesError, base_file, shown
from packages.target import FUNCTION, HERE, Target
from packages.tools.lock import ROOT
from packages.tools.pip import PipFailed, download
from packages.wheels import INSTALLED, WHEELS, LockedWheel


def main() -> int:
    """Fetch and lay out; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m packages.tools.fetch", description=__doc__)
    parser.add_argument("--only-wheels", type=Path, metavar="JOBS", help="fetch what the functions of these jobs need")
    jobs = parser.parse_args().only_wheels
    try:
        if jobs is not None:
            fetch(jobs, FUNCTION)
        else:
            jobs = ROOT / "lambda" / "jobs"
            fetch(jobs, FUNCTION)
            fetch(jobs, HERE)
            for note in (*not_for_here(jobs), *lay_out(jobs)):
                sys.stdout.write(f"{note}\n")
    except PackagesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def fetch(jobs: Path, target: Target) -> None:
    """Fetch the wheels that are locked for `target` and missing.

    Raises:
        PackagesError: one is not to be had.
    """
    missing = {wheel.file: wheel for wheel in _locked(jobs, target) if not wheel.is_there()}
    if not missing:
        return
    WHEELS.mkdir(exist_ok=True)
    for file in missing:
        (WHEELS / file).unlink(missing_ok=True)
    sys.stdout.write(f"Fetching what the jobs import, for {target}: {len(missing)} wheels …\n")
    try:
        download(missing.values(), target, WHEELS)
    except PipFailed as error:
        locks = " and ".join(sorted({wheel.lock for wheel in missing.values()}))
        raise PackagesError(
            f"{locks}: the wheels can't be fetched. If one is gone from the index: make lock. What pip says:\n{error}"
        ) from error
    for wheel in missing.values():
        wheel.open().close()


def not_for_here(jobs: Path) -> Iterator[str]:
    """What to say of each lock that has nothing for this machine: all works here but to run the jobs that it is for."""
    for file in _locks(jobs):
        if HERE.name not in read_lock(file)[1]:
            yield (
                f"{shown(file)} has nothing for {HERE}: make run, make try and tests can't run its jobs here. Work "
                f"with the functions' Python (rm -rf .venv && make PYTHON=python{FUNCTION.python} setup), or allow "
                "older versions of its packages, and make lock"
            )


def lay_out(jobs: Path) -> Iterator[str]:
    """Unpack this machine's wheels where the tests of jobs find them; yields what there is to say about them.

    Raises:
        PackagesError: two locks have different versions of a package.
    """
    shutil.rmtree(INSTALLED, ignore_errors=True)
    wheels = {wheel.file: wheel for wheel in _locked(jobs, HERE)}
    if not wheels:
        return
    versions: dict[str, LockedWheel] = {}
    for wheel in wheels.values():
        other = versions.setdefault(wheel.package, wheel)
        if other.version != wheel.version:
            raise PackagesError(
                f"{other.lock} has {wheel.package} {other.version}, and {wheel.lock} {wheel.version}: make lock"
            )
    for wheel in wheels.values():
        wheel.unpack(INSTALLED)
    for name, wheel in sorted(versions.items()):
        installed = _installed(name)
        if installed not in (None, wheel.version):
            yield (
                f"The tests of jobs have {name} {installed}, which this project's tools need; the functions, make run "
                f"and make try have {wheel.version}"
            )


def _installed(name: str) -> str | None:
    """The version that .venv has for itself."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _locked(jobs: Path, target: Target) -> Iterator[LockedWheel]:
    """What all locks have for `target`.

    Raises:
        PackagesError: one has nothing for the functions.
    """
    for file in _locks(jobs):
        wheels = read_lock(file)[1]
        if target == FUNCTION and target.name not in wheels:
            raise PackagesError(f"{shown(file)} has nothing for the functions' {FUNCTION}: make lock")
        yield from wheels.get(target.name, ())


def _locks(jobs: Path) -> list[Path]:
    return [file for file in (lock_file(base_file(jobs)), *sorted(jobs.glob("[!.]*.lock"))) if file.is_file()]


if __name__ == "__main__":
    sys.exit(main())
