"""A wheel as its authors published it: where it is, whether it is the one that is locked, what is in it."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from zipfile import ZipFile, ZipInfo

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from packages.requirements import PackagesError

WHEELS = Path(sys.prefix) / "wheels"
"""Where `make setup` leaves the wheels of what goes into a function."""
INSTALLED = Path(sys.prefix) / "packages"
"""This machine's wheels of all jobs, unpacked by `make setup`, for the tests of jobs.

Nothing else finds them: what deploys, with its rights, runs none of their code.
"""
PLACES = {"purelib": (), "platlib": (), "data": (), "scripts": ("bin",)}
"""Where what a wheel sorts by its kind goes, as with `pip install --target`; headers are for compilers only.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/#the-data-directory
"""
EXECUTABLE = 0o111


@dataclass(frozen=True, order=True)
class LockedWheel:
    """A wheel that a lock pins."""

    file: str
    """Its name, which says the package, its version, and what it is for."""
    sha256: str
    lock: str
    """The lock, as people know it."""

    @property
    def package(self) -> str:
        """The package's normalized name."""
        return str(self._parsed[0])

    @property
    def version(self) -> str:
        """The package's version."""
        return str(self._parsed[1])

    @property
    def tags(self) -> frozenset[Tag]:
        """What it is for."""
        return self._parsed[2]

    @cached_property
    def _parsed(self) -> tuple[str, object, frozenset[Tag]]:
        try:
            name, version, _build, tags = parse_wheel_filename(self.file)
        except InvalidWheelFilename as error:
            raise PackagesError(f"{self.lock}: {self.file} is no wheel's name: make lock") from error
        return name, version, tags

    def is_there(self) -> bool:
        """Whether `make setup` has left it, unchanged."""
        file = WHEELS / self.file
        return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == self.sha256

    def open(self) -> ZipFile:
        """Open it. It is read once, so what was checked is what is in it.

        Raises:
            PackagesError: it is missing, or not as it was published.
        """
        file = WHEELS / self.file
        if not file.is_file():
            raise PackagesError(f"{self.lock}: {self.file} is not in .venv/wheels: make setup")
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise PackagesError(
                f"{self.lock}: {self.file} in .venv/wheels was changed, it has not the hash that is locked: "
                f"rm .venv/wheels/{self.file} .venv/wheels/ready && make setup"
            )
        return ZipFile(io.BytesIO(content))

    def files(self, wheel: ZipFile) -> Iterator[tuple[ZipInfo, PurePosixPath]]:
        """Each file in it, opened as `wheel`, and its place beside the jobs.

        Raises:
            PackagesError: a file would be somewhere else.
        """
        for entry in wheel.infolist():
            path = PurePosixPath(entry.filename)
            if path.is_absolute() or ".." in path.parts:
                raise PackagesError(f"{self.lock}: {self.file} has a file {path}, outside of itself: do without it")
            place = _place(path)
            if place is not None and not entry.is_dir():
                yield entry, place

    def unpack(self, folder: Path) -> None:
        """Write what is in it into `folder`, with the same modes on every machine.

        Raises:
            PackagesError: it is missing, or not as it was published.
        """
        with self.open() as wheel:
            for entry, place in self.files(wheel):
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(wheel.read(entry))
                target.chmod(0o755 if entry.external_attr >> 16 & EXECUTABLE else 0o644)


def _place(path: PurePosixPath) -> PurePosixPath | None:
    """Return where a file of a wheel goes; None if nowhere."""
    if not path.parts[0].endswith(".data") or len(path.parts) < 3:
        return path
    before = PLACES.get(path.parts[1])
    return None if before is None else PurePosixPath(*before, *path.parts[2:])
