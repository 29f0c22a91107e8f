"""What a change lets jobs do with tables: by the TABLES that each states, and by what the migrations grant for all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from review.danger import Danger, exact
from review.new_jobs import job_of
from review.templates import Resource, SynthesizedEnvironment, at
from settings.job_variables import RIGHTS_FILE, TABLES_NOTE

Right = tuple[str, str]
"""A table, and what may be done with it."""
HARMLESS = ("SELECT", "INSERT")
"""What a new job may do with a table that no job had: most likely its own, which comes in the same change."""


def widened_tables(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[Danger]:
    """The dangers of rights to tables that only `after` gives."""
    old, new = _by_job(before), _by_job(after)
    known = granted(before)
    for path, rights in new.items():
        more = rights - old.get(path, frozenset()) if old else frozenset()
        if job_of(path) not in {job_of(each) for each in old}:
            more = frozenset(each for each in more if each not in known and not _of_new_table(each, known))
        yield from _may(path, "it", more)
    added = granted(after) - known
    if old or _come(before, after):  # what jobs state is asked about of them
        added -= {right for rights in new.values() for right in rights}
    for migrate in _migrate(after):
        yield from _may(migrate.path, "the jobs' database user", added)


def _of_new_table(right: Right, known: frozenset[Right]) -> bool:
    table, action = right
    plain = re.fullmatch(r"\w+", table) is not None  # neither all tables, nor one of another schema
    return plain and action in HARMLESS and table not in {each for each, _ in known}


def _may(path: str, who: str, rights: frozenset[Right]) -> Iterator[Danger]:
    for table in sorted({table for table, _ in rights}):
        actions = ", ".join(f"`{action}`" for each, action in sorted(rights) if each == table)
        text = f"{who} may now {actions} on the table `{table}`"
        yield Danger(kind="access", resource=path, code=exact("tables", text), text=text, then=_then(actions))


def _then(actions: str) -> str:
    return "Rows that no job changed until now may be gone" if "DELETE" in actions or "UPDATE" in actions else ""


def _by_job(environment: SynthesizedEnvironment) -> Mapping[str, frozenset[Right]]:
    """What each job states, by the path of its function; nothing in templates of versions that did not note it."""
    return {
        each.path: _rights(each.notes[TABLES_NOTE]) for each in _functions(environment) if TABLES_NOTE in each.notes
    }


def granted(environment: SynthesizedEnvironment) -> frozenset[Right]:
    """What the migrations grant: see settings/job_variables.py."""
    return frozenset(right for each in _migrate(environment) for right in _rights(_told(each)))


def _told(migrate: Resource) -> Mapping[str, Any]:
    text = at(migrate, "Environment", "Variables", "RIGHTS")
    if text == RIGHTS_FILE:
        noted: Mapping[str, Any] = migrate.notes.get(RIGHTS_FILE, {})
        return noted
    found = json.loads(text) if isinstance(text, str) and text.startswith("{") and '"' in text else {str(text): "?"}
    return found if isinstance(found, Mapping) else {str(text): "?"}


def _rights(tables: Mapping[str, Any]) -> frozenset[Right]:
    return frozenset((table, right) for table, some in tables.items() for right in str(some).split(", "))


def _migrate(environment: SynthesizedEnvironment) -> list[Resource]:
    return [each for each in _functions(environment) if at(each, "Environment", "Variables", "RIGHTS") is not None]


def _come(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> bool:
    """Whether a job is new, whose tables the rights may be for."""
    one, other = ({job_of(each.path) for each in _functions(environment)} for environment in (before, after))
    return bool(other - one)


def _functions(environment: SynthesizedEnvironment) -> list[Resource]:
    return environment.of("AWS::Lambda::Function")
