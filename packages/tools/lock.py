"""make lock: which wheels a team's requirements come to, for the functions and for the machines that jobs are tried on.

Each package has one version in a project: the tests of all jobs run in one Python.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

from packages.locks import lock_file, lock_text, read_lock, sources
from packages.requirements import ENGINES, PackagesError, base_file, own_file, requirements, shown
from packages.target import FUNCTION, HERE, MACHINES, Target
from packages.tools.pip import PipFailed, resolve
from packages.wheels import LockedWheel

ROOT = Path(__file__).parents[2]
OLDEST = Target("3.11", "x86_64")
"""The oldest Python that this project works with, on the machine of its workflows."""
AT_ONCE = 8
"""Of pip: it mostly waits for the index."""
ALL = "__init__"
"""A module that has no requirements of its own: what it asks for, all jobs do."""


@dataclass(frozen=True)
class Asked:
    """The requirements of one lock."""

    lock: Path
    sources: str
    requirements: list[str]


def main() -> int:
    """Write the locks, and delete those of requirements that are gone; returns the exit status."""
    try:
        for note in lock(ROOT / "lambda" / "jobs", engines=engines_version()):
            sys.stdout.write(f"{note}\n")
    except PackagesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def engines_version() -> str:
    """Return the version of PyMySQL that is in each function."""
    pinned = re.search(rf"(?im)^{ENGINES}==(\S+)", (ROOT / "requirements.txt").read_text())
    if pinned is None:
        raise AssertionError("requirements.txt pins PyMySQL")
    return pinned[1]


def lock(jobs: Path, *, engines: str) -> list[str]:
    """Write the locks of the jobs in `jobs`, beside their requirements; returns what there is to say about them.

    Raises:
        PackagesError: the requirements are wrong, or no wheels fit them.
    """
    asked = list(_asked(jobs))
    written = _texts(asked, engines=engines)
    for file in {lock_file(base_file(jobs)), *jobs.glob("[!.]*.lock")} - written.keys():
        file.unlink(missing_ok=True)
    notes = []
    for file, text in written.items():
        file.write_text(text)
        wheels = read_lock(file)[1]
        notes += [
            f"{shown(file)}: not for {target}, which no versions fit that the functions get"
            for target in MACHINES
            if target.name not in wheels
        ]
    return notes


def _asked(jobs: Path) -> Iterable[Asked]:
    """The requirements of all jobs, and of each that has some of its own.

    Raises:
        PackagesError: a line is wrong, or a file is no job's.
    """
    for job in (jobs / f"{ALL}.py", *sorted(file.with_suffix(".py") for file in jobs.glob("[!.]*.txt"))):
        if job.stem != ALL and not job.is_file():
            raise PackagesError(f"{shown(own_file(job))} is no job's, there is no lambda/jobs/{job.name}: rename it")
        own = requirements(own_file(job))
        if own or (job.stem == ALL and requirements(base_file(jobs))):
            file = own_file(job) if own else base_file(jobs)
            yield Asked(lock_file(file), sources(job), [*requirements(base_file(jobs)), *own])


def _texts(asked: list[Asked], *, engines: str) -> dict[Path, str]:
    """The text of each lock."""
    if not asked:
        return {}
    pins = _versions(asked, engines=engines)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # The rest of each set, on each machine: no version is chosen any more, but for what only another Python needs.
        found = {
            (each.lock, target): pool.submit(_resolved, each, target, pins) for each, target in product(asked, MACHINES)
        }
        wheels = {key: resolved.result() for key, resolved in found.items()}
    return {each.lock: _text(each, {target: wheels[each.lock, target] for target in MACHINES}) for each in asked}


def _text(asked: Asked, wheels: Mapping[Target, Mapping[str, str]]) -> str:
    return lock_text(asked.sources, asked.requirements, {target: some for target, some in wheels.items() if some})


def _versions(asked: list[Asked], *, engines: str) -> dict[str, str]:
    """One version of each package, which all requirements can work with, in the functions and on this machine.

    If there are such, those that the oldest Python can work with, too; what is locked stays as long as it fits.

    Raises:
        PackagesError: there are none.
    """
    everything = tuple(dict.fromkeys(line for each in asked for line in each.requirements))
    own = {ENGINES: engines}

    @cache
    def taken(target: Target, pins: frozenset[tuple[str, str]]) -> dict[str, str]:
        try:
            return {name: found.version for name, found in resolve(everything, target, pins=dict(pins)).items()}
        except PipFailed:
            return {}

    def candidates() -> Iterator[frozenset[tuple[str, str]]]:
        locked = {wheel.package: wheel.version for each in asked for wheel in _locked(each.lock)}
        yield frozenset({**locked, **own}.items())
        yield frozenset(own.items())
        # What an older Python can work with, a newer one mostly can, too; the newest may be nothing for the older one.
        for target in (OLDEST, HERE):
            yield frozenset({**taken(target, frozenset(own.items())), **own}.items())

    for needed in ((OLDEST, HERE), (HERE,)):
        for pins in candidates():
            versions = frozenset({**taken(FUNCTION, pins), **own}.items())
            if taken(FUNCTION, pins) and all(taken(target, versions) for target in needed):
                return dict(versions)
    raise PackagesError(_nothing_fits(asked, everything, taken(FUNCTION, frozenset(own.items())), own))


def _nothing_fits(
    asked: list[Asked], everything: Sequence[str], newest: Mapping[str, str], own: Mapping[str, str]
) -> str:
    """Why there are no versions: for the functions, or for this machine with what is `newest` for the functions."""
    files = " and ".join(dict.fromkeys(each.sources for each in asked))
    target = HERE if newest else FUNCTION
    try:
        resolve(everything, target, pins={**newest, **own})
    except PipFailed as error:
        return _explained(str(error), files, target)
    raise AssertionError("what did not fit now does: the index has changed")


def _locked(lock: Path) -> list[LockedWheel]:
    """What is locked for the functions; nothing if there is no lock, or none that can be read."""
    try:
        return read_lock(lock)[1].get(FUNCTION.name, []) if lock.is_file() else []
    except PackagesError:
        return []


def _resolved(asked: Asked, target: Target, pins: Mapping[str, str]) -> dict[str, str]:
    """The wheels of one lock on one machine; none if there is one that is not for it, and it is not this one.

    Raises:
        PackagesError: there is one that is not for the functions, or not for this machine.
    """
    try:
        found = resolve(asked.requirements, target, pins=pins)
    except PipFailed as error:
        if target not in (FUNCTION, HERE):
            return {}
        raise PackagesError(_explained(str(error), asked.sources, target)) from error
    return {each.file: each.sha256 for name, each in found.items() if name != ENGINES}


def _explained(said: str, files: str, target: Target) -> str:
    missing = re.search(r"No matching distribution found for (.+)", said)
    what = f"{missing[1]} has no wheel" if missing else "no versions fit together"
    remedy = "allow other versions, take another package, or do without; nothing is compiled here"
    if target != FUNCTION:
        what = f"with what the functions' {FUNCTION} gets, {what}"
        remedy += f"; or work with their Python: rm -rf .venv && make PYTHON=python{FUNCTION.python} setup"
    return f"{files}: {what} for {target} (Linux, glibc 2.34 or older): {remedy}. What pip says:\n{said}"


if __name__ == "__main__":
    sys.exit(main())
