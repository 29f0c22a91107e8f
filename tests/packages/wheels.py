"""Wheels that a test makes itself, and what pip and the product are told of them: nothing is fetched from anywhere."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from packages.locks import lock_file, lock_text
from packages.requirements import base_file, own_file, requirements
from packages.target import FUNCTION, MACHINES, Target

PURE = "py3-none-any"
AARCH64, X86_64 = 183, 62
Files = dict[str, bytes | str]


def compiled_for(target: Target) -> str:
    """The tag of a wheel with compiled code for `target`."""
    return f"{target.abi}-{target.abi}-manylinux_2_28_{target.machine}"


def elf(machine: int) -> bytes:
    """The beginning of a shared object."""
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, machine) + bytes(44)


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, bytes | str] | None = None,
    tag: str = PURE,
    needs: Iterable[str] = (),
    python: str = ">=3.8",
) -> Path:
    """Write a wheel of the package `name` with these `files`; else with a module of its name."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {python}\n"
    whole: Files = {
        **({f"{name}/__init__.py": f"VERSION = {version!r}\n"} if files is None else files),
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {each}\n" for each in needs),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    whole[f"{info}/RECORD"] = "".join(f"{each},,\n" for each in [*whole, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-{tag}.whl"
    with ZipFile(file, "w") as archive:
        for place, content in whole.items():
            entry = ZipInfo(place)
            entry.external_attr = (0o755 if "/bin/" in place else 0o644) << 16
            archive.writestr(entry, content)
    return file


def installed_wheel(folder: Path, name: str, tops: Iterable[str], *, tag: str) -> Path:
    """Write a wheel of what .venv has of the package `name` in the folders `tops`: it really runs on this machine."""
    listed = distribution(name).files or []
    files: Files = {
        str(each): Path(str(each.locate())).read_bytes()
        for each in listed
        if each.parts[0] in tops and each.suffix in (".py", ".so")
    }
    return make_wheel(folder, name, files=files, tag=tag)


def hashed(files: Iterable[Path]) -> dict[str, str]:
    """What a lock says of these wheels."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def lock(jobs: Path, wheels: Iterable[Path], *, here: Iterable[Path] | None = None, job: str | None = None) -> Path:
    """Write the lock of what the jobs in `jobs` ask for, or of what `job` asks for, with these `wheels`."""
    asked, file = requirements(base_file(jobs)), base_file(jobs)
    if job is not None:
        file = own_file(jobs / f"{job}.py")
        asked += requirements(file)
    function, local = hashed(wheels), hashed(wheels if here is None else here)
    targets = dict.fromkeys(MACHINES, local) | {FUNCTION: function}
    text = lock_text("a test", asked, targets)
    lock_file(file).write_text(text)
    return lock_file(file)
