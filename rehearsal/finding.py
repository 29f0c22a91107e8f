"""What was found out about one statement of a migration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["mistake", "data", "blocks", "breaks", "access", "unclassified", "note"]
"""mistake: it can't be deployed. data: rows, or what is in them, would be lost. blocks: it holds writers up. breaks: a
job fails on the new tables. access: somebody may do more. unclassified: nobody knows. note: harmless, and said."""


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """One thing that a statement does; all but a `note` need a yes."""

    kind: Kind
    place: str
    """The migration's file, like migrations/0004_drop.sql, or the job's."""
    text: str
    """What happens, in a sentence; it begins with the statement's number where a file has several."""
