"""The locks that `make lock` writes beside a team's requirements: which wheels, with which hashes, for which machines.

A job has a set of its own if it asks for more than all do: then its lock has everything, what all ask for included.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packages.modules import modules
from packages.requirements import PackagesError, base_file, own_file, requirements, shown
from packages.target import FUNCTION, Target
from packages.wheels import LockedWheel

HEAD = """\
# Written by `make lock` from {sources}: edit that, never this.
# A wheel's name says its package, its version, and the Python and machine that it is for.
"""


@dataclass(frozen=True)
class PackageSet:
    """The wheels that some jobs get on one machine."""

    lock: str
    """The lock's file, as people know it."""
    wheels: tuple[LockedWheel, ...]

    def provides(self, module: str) -> bool:
        """Whether `module`, like yaml or google.auth.transport, can be in it.

        Raises:
            PackagesError: a wheel is missing, or not as it was published.
        """
        return any(modules(wheel).provide(module) for wheel in self.wheels)

    @property
    def versions(self) -> dict[str, str]:
        """The version of each package."""
        return {wheel.package: wheel.version for wheel in self.wheels}


def lock_file(file: Path) -> Path:
    """Return the lock of a file of requirements."""
    return file.with_suffix(".lock")


def packages_of(job: Path, target: Target = FUNCTION) -> PackageSet | None:
    """Return what the job of the module `job` gets on `target`; None if nothing.

    Raises:
        PackagesError: the requirements are wrong, or the lock does not fit them, or has nothing for `target`.
    """
    file, asked = asked_of(job)
    lock = lock_file(file)
    if not asked and not lock.is_file():
        return None
    if not lock.is_file():
        raise PackagesError(f"{shown(file)} has no {lock.name} beside it: make lock")
    stated, locked = read_lock(lock)
    if stated != asked:
        raise PackagesError(f"{shown(lock)} is not of what is in {sources(job)} now: make lock")
    if FUNCTION.name not in locked:
        raise PackagesError(f"{shown(lock)} has nothing for the functions' {FUNCTION}: make lock")
    if target.name not in locked:
        raise PackagesError(
            f"{shown(lock)} has nothing for {target}: no versions fit both that and the functions' {FUNCTION}. "
            f"Work with a Python that they fit, like make PYTHON=python{FUNCTION.python} setup after rm -rf .venv; "
            f"or allow older versions in {sources(job)}, and make lock"
        )
    return PackageSet(shown(lock), tuple(locked[target.name]))


def asked_of(job: Path) -> tuple[Path, list[str]]:
    """Return the file whose lock is the job's, and all that the job asks for.

    Raises:
        PackagesError: the requirements are wrong.
    """
    base, own = base_file(job.parent), own_file(job)
    more = requirements(own)
    # Without a line in it, its lock is none, but for one that was forgotten there.
    return (own if more or lock_file(own).is_file() else base), [*requirements(base), *more]


def sources(job: Path) -> str:
    """Return the files that say what the job asks for, as people know them."""
    base, own = base_file(job.parent), own_file(job)
    return " and ".join(shown(each) for each in (base, own) if requirements(each)) or shown(base)


def read_lock(file: Path) -> tuple[list[str], dict[str, list[LockedWheel]]]:
    """Return what a lock was made of, and its wheels by the machine.

    Raises:
        PackagesError: it is no lock.
    """
    return _parsed(file.read_text(), shown(file))


@cache
def _parsed(text: str, name: str) -> tuple[list[str], dict[str, list[LockedWheel]]]:
    try:
        read = tomllib.loads(text)
        wheels = {
            target: [LockedWheel(file, sha256, name) for file, sha256 in sorted(files.items())]
            for target, files in read["wheels"].items()
        }
        return list(read["requirements"]), wheels
    except (tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as error:
        raise PackagesError(f"{name} is no lock: {error!r}: make lock") from error


def lock_text(sources: str, asked: Sequence[str], wheels: Mapping[Target, Mapping[str, str]]) -> str:
    """Return the text of a lock: `wheels` by the machine, each with its hash."""
    lines = [HEAD.format(sources=sources), "requirements = ["]
    lines += [*(f"  {_quoted(each)}," for each in asked), "]"]
    for target in sorted(wheels, key=lambda each: (each != FUNCTION, each)):
        lines += ["", f'[wheels."{target.name}"]{" # the functions" if target == FUNCTION else ""}']
        lines += [f'"{file}" = "{sha256}"' for file, sha256 in sorted(wheels[target].items())]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    # A requirement with a marker has quotes of its own, always double ones: see packaging's Requirement.
    return f"'{text}'"
