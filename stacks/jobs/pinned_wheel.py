"""A package as its authors published it: the wheel whose hash the lock file pins.

Not what is installed: a line that somebody, or something, adds to a file in .venv would go into every function.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
from pathlib import Path
from zipfile import ZipFile

from settings.files import SettingsError
from settings.project import ROOT

LOCK = ROOT / "requirements.txt"
WHEELS = Path(sys.prefix) / "wheels"
"""Where `make setup` leaves the wheels of what goes into a function."""


def pinned_wheel(package: str, *, lock: Path = LOCK, wheels: Path = WHEELS) -> ZipFile:
    """Return the wheel of `package` in `wheels` that has a hash of those in `lock`.

    It is read once, so what was checked is what is unpacked.

    Raises:
        SettingsError: none has; it is missing, of another version, or not as it was published.
    """
    pinned = _hashes(package, lock)
    for file in sorted(wheels.glob("*.whl")):
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() in pinned:
            return ZipFile(io.BytesIO(content))
    raise SettingsError(
        f"no wheel in .venv/wheels has the hash that {lock.name} pins for {package}: it is missing, or was changed. "
        "To install everything anew: rm -rf .venv && make setup"
    )


def _hashes(package: str, lock: Path) -> set[str]:
    entry = re.search(rf"(?im)^{re.escape(package)}==[^\\\n]*(?:\\\n[^\\\n]*)*", lock.read_text())
    return set(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry[0])) if entry else set()
