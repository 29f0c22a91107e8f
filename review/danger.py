"""A danger of a change: something that it does, and that somebody has to say yes to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

KINDS = ("refused", "data", "breaks", "access", "protection", "unclassified")
"""From the gravest on, as they are shown."""


@dataclass(frozen=True, kw_only=True, order=True)
class Danger:
    """One thing that needs a yes; a yes is for one `code` of one `resource`."""

    kind: str
    """One of those that the report has a heading for."""
    resource: str
    """The path that an accept_change in the environment file names."""
    code: str
    """Short, of small letters, digits and dashes: what an accept_change names as its danger."""
    text: str
    """What changes, in Markdown without a full stop at its end."""
    then: str = ""
    """What happens if somebody says yes: a sentence without its full stop, or nothing where `text` says it."""


def exact(word: str, text: str) -> str:
    """Return a code for what `text` says and nothing else: a yes to it is no yes to anything wider."""
    return f"{word}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
