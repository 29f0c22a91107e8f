"""The one error of this package."""

from __future__ import annotations


class Refused(Exception):
    """Nothing was done; the message says why, and what to do."""
