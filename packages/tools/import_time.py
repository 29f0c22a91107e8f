"""How long a job's packages take to import: on this machine, in a fresh process, as a cold start does it.

There is no compiled code beside the modules in a function, and its files can't be written: each cold start compiles.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Collection

from packages.wheels import INSTALLED

IMPORT = """
import importlib, sys, time
sys.path.insert(0, sys.argv[1])
before = time.perf_counter()
for module in sys.argv[2:]:
    importlib.import_module(module)
print(time.perf_counter() - before)
"""


class CannotImport(Exception):
    """A module can't be imported on this machine; the message is the error."""


def import_seconds(modules: Collection[str]) -> float:
    """Return how long it takes to import `modules` of the jobs' packages, one after the other.

    Raises:
        CannotImport: one can't be imported here.
    """
    with tempfile.TemporaryDirectory(prefix="import-") as nothing_compiled:
        # -S: without what is installed for this project's tools.
        options = ("-I", "-S", "-B", "-X", f"pycache_prefix={nothing_compiled}")
        done = subprocess.run(
            [sys.executable, *options, "-c", IMPORT, str(INSTALLED), *sorted(modules)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise CannotImport((done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1])
    return float(done.stdout.splitlines()[-1])
