"""The packages of the jobs, where a test of a job finds them."""

from __future__ import annotations

import sys

from packages.wheels import INSTALLED


def let_import() -> None:
    """Let this process import them; what this project's tools have installed goes first."""
    if str(INSTALLED) not in sys.path:
        sys.path.append(str(INSTALLED))
