"""The dangers of a change: what of it needs a yes. Whatever is not known to be harmless does.

What AWS will refuse is one of them: what is deployed may differ from the base, so that it is taken after all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from review.access import widened
from review.changes import Change, compare
from review.classified import classified
from review.danger import KINDS, Danger, exact
from review.jobs_stacks import in_one_stack
from review.losses import losses
from review.markdown import code
from review.own_variables import of_own_variables
from review.parameters import of_parameters
from review.parts import decided
from review.refusal import refused
from review.renamed import named_as_after
from review.schemas import stateful
from review.table_rights import other_users, widened_tables
from review.templates import SynthesizedEnvironment
from review.watched import unwatched
from review.ways import by_way
from settings.schedule import read_schedule

WIDER = {
    "allows": "Whoever works in it, or is let in by it, can do that",
    "opens": "What is there gets through to it: the next thing in its way is the login",
    "reaches": "What runs in it can send there whatever it reads",
    "undenied": "Who is allowed it elsewhere is no longer kept from it",
}
"""What happens if somebody says yes, by how access is widened."""


def dangers(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> list[Danger]:
    """Return the dangers of the change from `before` to `after`, two syntheses of one environment."""
    changes = compare(before, after)
    old, new = in_one_stack(named_as_after(before, changes)), in_one_stack(after)
    found = {
        *_moved(before, after),
        *refused(changes, after),
        *losses(changes, before, after),
        *classified(changes, before, after),
        *of_parameters(changes),
        *of_own_variables(changes),
        *_never(changes),
        *widened_tables(old, new),
        *other_users(old, new),
        *unwatched(old, new),
        *(_widened(old, new) if changes else ()),
    }
    asked = by_way(decided(found, changes, before, after), old, new)
    return sorted(asked, key=lambda each: (KINDS.index(each.kind), each))


def left_behind(environment: SynthesizedEnvironment) -> list[Danger]:
    """Return the dangers of an environment that is no longer in the app."""
    if not any(each.kind in stateful() for each in environment.resources.values()):
        return []
    text = "stays deployed with its data, orphaned: to delete it, run `make destroy` in a checkout of the base"
    return [Danger(kind="data", code="left-behind", resource=environment.name, text=text)]


def _moved(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[Danger]:
    if (before.account, before.region) != (after.account, after.region):
        yield Danger(
            kind="data",
            resource="account",
            code="moved",
            text=f"moves from {before.account}, {before.region} to {after.account}, {after.region}",
            then="Everything is created there, empty; what is deployed stays where it is, and keeps running",
        )


def _never(changes: Iterable[Change]) -> Iterator[Danger]:
    """Schedules whose expression has no time, or none that is known here."""
    for change in changes:
        expression = change.resource.properties.get("ScheduleExpression")
        if change.resource.kind != "AWS::Scheduler::Schedule" or change.how == "removed" or expression is None:
            continue
        try:
            read_schedule(str(expression))
        except ValueError as error:
            text = f"`ScheduleExpression` is {code(expression)}: {error}"
            then = "The job may never run"
            yield Danger(kind="protection", resource=change.resource.path, code="never-runs", text=text, then=then)


def _widened(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> Iterator[Danger]:
    for path, word, text in widened(before, after):
        yield Danger(kind="access", resource=path, code=exact(word, text), text=text, then=WIDER[word])
