"""What another parameter of a job means for data: how long rows are kept is a parameter, too.

The engine does not know what a job does with its parameters. So of one that may delete rows, every change needs a yes;
only a number that says by its name how long something is kept, and grows, does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from review.changes import Change
from review.danger import Danger, exact
from review.difference import Difference
from review.templates import Resource
from settings.job_variables import TABLES_NOTE

PARAMETERS = ("Environment", "Variables", "PARAMETERS")
LOSES = ("DELETE", "UPDATE")
KEEPS = re.compile(r"(^|_)(retention|retain|keep|kept|max_age|ttl)(_|$)")
"""Names of what says how long something is kept."""
THEN = "Its next run may delete rows that it left until now"


def of_parameters(changes: Sequence[Change]) -> Iterator[Danger]:
    """The dangers of other parameters to data."""
    for change in changes:
        if change.how in ("changed", "replaced") and change.resource.kind == "AWS::Lambda::Function":
            for each in change.differences:
                before_or_after = [each for each in (change.before, change.after) if each]
                if each.place == PARAMETERS and any(map(may_delete, before_or_after)):
                    yield from _lost(change.resource, each)


def may_delete(function: Resource) -> bool:
    """Whether the job has a right to delete rows, or to change them; what is not known counts as one."""
    tables = function.notes.get(TABLES_NOTE)
    return tables is None or any(right in str(rights) for rights in tables.values() for right in LOSES)


def _lost(function: Resource, parameters: Difference) -> Iterator[Danger]:
    for text in _asked("", _entries(parameters.before), _entries(parameters.after)):
        yield Danger(kind="data", resource=function.path, code=exact("parameters", text), text=text, then=THEN)


def _asked(name: str, before: Any, after: Any) -> Iterator[str]:
    """The differences that may delete more, each in words."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            inner = f"{name}.{key}" if name else key
            if key not in before:
                yield f"parameter `{inner}` is new: `{json.dumps(after[key])}`"
            elif key in after:
                yield from _asked(inner, before[key], after[key])
            elif not isinstance(before[key], dict):  # an entry that goes deletes nothing any more
                yield f"parameter `{inner}` is gone: `{json.dumps(before[key])}`"
    elif before != after and not kept_longer(name, before, after):
        yield f"parameter `{name}` changes from `{json.dumps(before)}` to `{json.dumps(after)}`"


def kept_longer(name: str, before: Any, after: Any) -> bool:
    """Whether both are numbers, the name says that they are how long something is kept, and it is longer now."""
    numbers = isinstance(before, int | float) and isinstance(after, int | float)
    return numbers and KEEPS.search(name.rpartition(".")[2].lower()) is not None and bool(after > before)


def _entries(text: Any) -> Any:
    """The parameters; the entries of a list by what they are about, so that each is compared with its own."""
    try:
        return _by_subject(json.loads(text or "{}"))
    except (TypeError, json.JSONDecodeError):  # a reference: known at the deploy only
        return {"": str(text)}


def _by_subject(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _by_subject(part) for key, part in value.items()}
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        found: dict[str, Any] = {}
        for each in value:
            subject = "/".join(str(part) for key, part in sorted(each.items()) if isinstance(part, str))
            while subject in found:
                subject += "'"
            found[subject] = _by_subject(each)
        return found
    return value
