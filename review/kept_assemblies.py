"""Assemblies that are kept in .cache, by names that say all that decides what is in them."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zlib
from pathlib import Path

from settings.project import ROOT

KEPT = ROOT / ".cache" / "assemblies"
MOST = 20
"""How many are kept, of 100 kB each: those that were used last."""
DIGEST = 32
"""A file begins with so many bytes of SHA-256 of the rest."""


def restore(name: str, folder: Path) -> bool:
    """Write the assembly `name` into `folder`; return whether it is kept, and undamaged."""
    file = KEPT / name
    try:
        kept = file.read_bytes()
    except FileNotFoundError:
        return False
    if hashlib.sha256(kept[DIGEST:]).digest() != kept[:DIGEST]:
        return False
    os.utime(file)
    for path, text in json.loads(zlib.decompress(kept[DIGEST:])).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return True


def keep(name: str, folder: Path) -> None:
    """Keep the assembly in `folder` as `name`: its manifests and templates, not the code that would be uploaded."""
    files = {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.glob("assembly-*/*.json"))}
    packed = zlib.compress(json.dumps(files).encode())
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=KEPT, prefix=".", delete=False) as part:
        part.write(hashlib.sha256(packed).digest() + packed)
    Path(part.name).replace(KEPT / name)  # at once: another process sees all of it, or nothing
    for each in sorted(KEPT.glob("[!.]*"), key=_last_use, reverse=True)[MOST:]:
        each.unlink(missing_ok=True)


def _last_use(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:  # another process has kept it under its name, or removed it
        return 0.0
