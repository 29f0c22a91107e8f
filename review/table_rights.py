"""What a change lets jobs do with tables: by the TABLES that each states, and by what the migrations grant its user."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from review.danger import Danger, exact
from review.jobs_stacks import job_of
from review.templates import ENVIRONMENT, Resource, SynthesizedEnvironment, at, file_name
from settings.job_users import RIGHTS_FILE
from settings.job_variables import TABLES_NOTE

Right = tuple[str, str]
"""A table, and what may be done with it."""
SHARED = ""
"""In the place of a job's name: the user that all jobs had up to version 0.1."""
USER = ("Environment", "Variables", "DATABASE_USER")
HARMLESS = ("SELECT", "INSERT")
"""What a new job may do with a table that no job had: most likely its own, which comes in the same change."""


def widened_tables(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[Danger]:
    """The dangers of rights to tables that only `after` gives."""
    old, new = _by_job(before), _by_job(after)
    known = _all(granted(before))
    for path, rights in new.items():
        more = rights - old.get(path, frozenset()) if old else frozenset()
        if job_of(path) not in {job_of(each) for each in old}:
            more = frozenset(each for each in more if each not in known and not _of_new_table(each, known))
        yield from _may(path, "it", more)
    stated = {job_of(path): rights for path, rights in new.items()}
    asked_about = bool(old) or _come(before, after)  # what jobs state, above
    for migrate in _migrate(after):
        for job, rights in granted(after).items():
            more = rights - granted(before).get(job, known if SHARED in granted(before) else frozenset())
            yield from _may(migrate.path, _whose(job), more - stated.get(job, frozenset()) if asked_about else more)


def other_users(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[Danger]:
    """The dangers of functions that newly log in as another user than the one that the migrations make for them."""
    old = {each.path: at(each, *USER) for each in _functions(before)}
    users = _users(after)
    for each in _functions(after):
        user, job = at(each, *USER), job_of(each.path)
        if (job or each.path in old) and user not in (old.get(each.path), users.get(job)):
            text = f"it logs in as `{user}`, which is not the user that the migrations make for it"
            then = "It works with another user's rights"
            yield Danger(kind="access", resource=each.path, code=exact("login", text), text=text, then=then)
    for migrate in _migrate(after):
        for job, known in _users(before).items():
            if users.get(job, known) != known:
                text = f"makes `{users[job]}` the database user of the job {job}, instead of `{known}`"
                then = "That user gets the job's rights"
                yield Danger(kind="access", resource=migrate.path, code=exact("login", text), text=text, then=then)


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


def granted(environment: SynthesizedEnvironment) -> Mapping[str, frozenset[Right]]:
    """What the migrations grant the user of each job; up to version 0.1, of all jobs: `SHARED`."""
    told = _told(environment)
    if tables := {table: rights for table, rights in told.items() if isinstance(rights, str)}:
        return {SHARED: _rights(tables)}
    return {job: _rights(each.get("tables", {})) for job, each in told.items()}


def _all(users: Mapping[str, frozenset[Right]]) -> frozenset[Right]:
    return frozenset(right for rights in users.values() for right in rights)


def _users(environment: SynthesizedEnvironment) -> Mapping[str, Any]:
    name = file_name(environment.name)
    found = {job: each.get("user") for job, each in _told(environment).items() if isinstance(each, Mapping)}
    # In a note, the name of the environment stands as it is.
    return {job: re.sub(rf"^job_{name}(?=_)", f"job_{ENVIRONMENT}", str(user)) for job, user in found.items()}


def _whose(job: str) -> str:
    return f"the database user of the job {job}" if job else "the jobs' database user"


def _told(environment: SynthesizedEnvironment) -> Mapping[str, Any]:
    """What the migrations are told: see settings/job_users.py."""
    return {key: value for each in _migrate(environment) for key, value in _read(each).items()}


def _read(migrate: Resource) -> Mapping[str, Any]:
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
