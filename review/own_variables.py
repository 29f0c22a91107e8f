"""The variables of functions that the engine has no use for: a job's own, which it reads as it likes.

What an environment file may say of them is checked there, and shown here without a yes. Two things are asked about:
what that check refuses, as a template may have it from elsewhere; and, as with parameters, whatever changes in a job
that may delete rows, as a variable may say how long they are kept, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from review.changes import Change
from review.classification import known_type
from review.danger import Danger, exact
from review.difference import Difference, differences
from review.jobs_stacks import job_of
from review.parameters import THEN, kept_longer, may_delete
from settings.own_variables import why_secret, why_taken

FUNCTION = "AWS::Lambda::Function"
VARIABLES = ("Environment", "Variables")
SHOWN = "Whoever may read the template or the function has it"
TAKEN = "What the engine relies on in this function may no longer hold"
UNKNOWN = "Nobody here knows what reads it: only a job has variables of its own"


def of_own_variables(changes: Sequence[Change]) -> Iterator[Danger]:
    """The dangers of variables that are no job's, that no job can have, that look like a secret or may delete rows."""
    for change in changes:
        if change.resource.kind == FUNCTION and change.how != "removed":
            for each in _own(change):
                yield from _asked(change, each)


def _own(change: Change) -> Iterator[Difference]:
    known = known_type(FUNCTION).properties
    new = change.how == "added"
    for each in differences({}, dict(change.resource.properties)) if new else change.differences:
        if each.place[:-1] == VARIABLES and each.place not in known:
            yield each


def _asked(change: Change, variable: Difference) -> Iterator[Danger]:
    [*_, name] = variable.place
    path, text = change.resource.path, variable.text
    if why := why_secret(name, str(variable.after)) if variable.after is not None else None:
        said = f"`{name}`: {why}"
        yield Danger(kind="access", resource=path, code=exact("secret-shown", text), text=said, then=SHOWN)
    elif why := why_taken(name):
        said = f"{text}, and no job can have it: {why}"
        yield Danger(kind="protection", resource=path, code=exact("variable", text), text=said, then=TAKEN)
    elif not job_of(path):
        yield Danger(kind="unclassified", resource=path, code=exact("variable", text), text=text, then=UNKNOWN)
    elif _may_delete_more(change, name, variable):
        yield Danger(kind="data", resource=path, code=exact("variable", text), text=text, then=THEN)


def _may_delete_more(change: Change, name: str, variable: Difference) -> bool:
    if not any(may_delete(each) for each in (change.before, change.after) if each and change.before):
        return False
    return not kept_longer(name, _number(variable.before), _number(variable.after))


def _number(value: Any) -> float | None:
    with suppress(TypeError, ValueError):
        return float(value)
    return None
