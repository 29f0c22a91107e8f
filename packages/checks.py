"""What would fail in a function only: a wheel for another machine, files that collide, too much of it."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath
from zipfile import ZipFile

from packages.locks import PackageSet
from packages.modules import SUFFIXES
from packages.requirements import PackagesError
from packages.target import FUNCTION, Target
from packages.wheels import LockedWheel

MOST_BYTES = 262_144_000
"""What a function's code may have, unzipped: 250 MB. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
ENGINES_BYTES = 1_000_000
"""More than the engine, PyMySQL, certificates and a team's jobs take together."""
ENGINES_NAMES = frozenset({"jobs", "migrations", "mysql_jobs", "pymysql", "settings"})
"""The top-level names of what is in each zip."""
ELF = b"\x7fELF"
ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
"""e_machine, of an ELF file's header: https://man7.org/linux/man-pages/man5/elf.5.html"""
ELF_HEAD = 20


@cache
def check(packages: PackageSet, target: Target = FUNCTION) -> None:
    """Check what does not depend on the jobs: it is read once in a process.

    Raises:
        PackagesError: all that is wrong, a line each.
    """
    if found := list(_mistakes(packages, target)):
        raise PackagesError("\n".join(found))


def size(packages: PackageSet) -> tuple[int, int]:
    """Return how many bytes the packages take, zipped (as their authors zipped them) and unzipped."""
    zipped = unzipped = 0
    for wheel in packages.wheels:
        with wheel.open() as opened:
            for entry, _place in wheel.files(opened):
                zipped += entry.compress_size
                unzipped += entry.file_size
    return zipped, unzipped


def _mistakes(packages: PackageSet, target: Target) -> Iterator[str]:
    placed: dict[PurePosixPath, tuple[LockedWheel, int]] = {}
    for wheel in packages.wheels:
        if not wheel.tags & target.tags:
            yield f"{packages.lock}: {wheel.file} is not for {target}: make lock"
            continue
        with wheel.open() as opened:
            yield from _machines(wheel, opened, target)
            yield from _shadows(wheel, opened)
            for entry, place in wheel.files(opened):
                other, crc = placed.setdefault(place, (wheel, entry.CRC))
                if other != wheel and crc != entry.CRC:
                    yield (
                        f"{packages.lock}: both {other.package} and {wheel.package} have a file {place}: "
                        "do without one of them"
                    )
    unzipped = size(packages)[1]
    if unzipped > MOST_BYTES - ENGINES_BYTES:
        yield (
            f"{packages.lock}: its packages have {unzipped / 1e6:.0f} MB unzipped, Lambda takes 262 MB with the rest: "
            f"do without some, or share them out, each to lambda/jobs/<module>.txt. Largest: {_largest(packages)}"
        )


def _machines(wheel: LockedWheel, opened: ZipFile, target: Target) -> Iterator[str]:
    """What of it is compiled for another machine, whatever its name says."""
    expected = ELF_MACHINES.get(target.machine)
    for entry, place in wheel.files(opened):
        with opened.open(entry) as file:
            head = file.read(ELF_HEAD)
        if head.startswith(ELF) and len(head) == ELF_HEAD:
            (machine,) = struct.unpack("<H", head[18:])
            if machine != expected:
                name = next((name for name, code in ELF_MACHINES.items() if code == machine), f"machine {machine}")
                yield (
                    f"{wheel.lock}: {place} in {wheel.file} is compiled for {name}, not for {target.machine}: "
                    "choose another version, or do without it"
                )
                return


def _shadows(wheel: LockedWheel, opened: ZipFile) -> Iterator[str]:
    """What would be imported in place of something else: the zip comes first where Python looks for modules."""
    names = {place.parts[0].partition(".")[0] for _, place in wheel.files(opened) if place.suffix in SUFFIXES}
    for name in sorted(names & (ENGINES_NAMES | sys.stdlib_module_names)):
        whose = "the engine's" if name in ENGINES_NAMES else "Python's own"
        yield f"{wheel.lock}: {wheel.package} has a module {name}, which would take the place of {whose}: do without it"


def _largest(packages: PackageSet) -> str:
    sizes = {wheel: size(PackageSet(packages.lock, (wheel,)))[1] for wheel in packages.wheels}
    largest = sorted(sizes, key=lambda wheel: -sizes[wheel])[:3]
    return ", ".join(f"{wheel.package} {sizes[wheel] / 1e6:.0f} MB" for wheel in largest)
