"""Which modules a wheel provides, by the files that are in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath

from packages.wheels import LockedWheel

SUFFIXES = (".py", ".so")


@dataclass(frozen=True)
class Modules:
    """The modules of a wheel, by their dotted names."""

    whole: frozenset[str]
    """Files, and folders with an __init__: what is below these is theirs to say, as six.moves shows."""
    namespaces: frozenset[str]
    """Folders without one, which several packages share, like google."""

    def provide(self, module: str) -> bool:
        """Return whether an import of `module` can find it here."""
        parts = module.split(".")
        for length in range(1, len(parts) + 1):
            name = ".".join(parts[:length])
            if name in self.whole:
                return True
            if name not in self.namespaces:
                return False
        return True


@cache
def modules(wheel: LockedWheel) -> Modules:
    """Return what `wheel` provides.

    Raises:
        PackagesError: it is missing, or not as it was published.
    """
    with wheel.open() as opened:
        files = [place for _, place in wheel.files(opened) if place.suffix in SUFFIXES]
    whole = {_module(file) for file in files}
    folders = {".".join(parent.parts) for file in files for parent in file.parents if parent.parts}
    return Modules(frozenset(whole), frozenset(folders - whole))


def _module(file: PurePosixPath) -> str:
    """Return the module in `file`; that of numpy/random/mtrand.cpython-314-aarch64-linux-gnu.so has two suffixes."""
    stem = file.name.partition(".")[0]
    return ".".join(file.parts[:-1] if stem == "__init__" else (*file.parts[:-1], stem))
