"""The report in Markdown: dangers first, then every change, folded by environment and stack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from review.changes import Change
from review.cost import CostChange, prices_date
from review.danger import Danger
from review.decisions import Decision, decisions, how_to_accept
from review.difference import Difference
from review.markdown import code, codes, prose, summary
from review.next_runs import NOTE, NextRuns
from review.templates import ENVIRONMENT, Resource, file_name

HEADINGS = {
    "refused": "AWS will refuse",
    "mistake": "Can't be deployed",
    "data": "Loses data",
    "breaks": "Breaks jobs",
    "blocks": "Blocks writers",
    "access": "Widens access",
    "protection": "Takes protection away",
    "unclassified": "Unclassified: nobody knows what it does",
}


FEW = 5
"""So many schedules are shown at once; more are folded."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentReview:
    """What changes in one environment."""

    name: str
    changes: Sequence[Change] = ()
    dangers: Sequence[Danger] = ()
    accepted: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Reasons, by the resource and the code of the dangers that they accept."""
    mistakes: Sequence[str] = ()
    """What is wrong with the yeses in its file, and what to write instead, in Markdown without a full stop."""
    done: Sequence[str] = ()
    """The yeses in its file that were for an earlier change, in Markdown."""
    note: str | None = None
    """What to know of the environment as a whole, in Markdown."""
    cost: CostChange | None = None
    runs: Sequence[NextRuns] = ()

    @property
    def open(self) -> list[Danger]:
        """The dangers that are not accepted."""
        return [danger for danger in self.dangers if (danger.resource, danger.code) not in self.accepted]

    @property
    def changed(self) -> bool:
        """Whether anything changes at all."""
        return bool(self.changes or self.dangers or self.note)


def markdown(
    title: str,
    environments: Sequence[EnvironmentReview],
    code_files: Sequence[str],
    migrations: Sequence[str] = (),
    packages: Sequence[str] = (),
) -> str:
    """The report; `title` is Markdown.

    `code_files` are those that the code of the functions is made from and that changed; `migrations` is what their
    harmless statements do, `packages` which ones of the jobs are others.

    What is between its headings can be left out, for a reader with less room (.github/scripts/comment.py): a danger is
    an item of a list, and what is indented below it explains it.
    """
    asked = decisions(
        (each.name, danger, each.accepted.get((danger.resource, danger.code)))
        for each in environments
        for danger in each.dangers
    )
    lines = [f"# {prose(title)}", "", *_verdict(environments, asked)]
    if mistakes := [f"- {prose(text)}." for each in environments for text in each.mistakes]:
        lines += ["", "## A yes that is for nothing", "", *mistakes]
    for kind in sorted({each.kind for each in asked}, key=_place):
        lines += ["", f"## {HEADINGS[kind]}", ""]
        lines += [line for each in asked if each.kind == kind for line in each.markdown()]
    if costs := list(_costs(environments)):
        lines += ["", "## What it costs", "", *costs]
    if runs := list(_runs(environments)):
        lines += ["", "## When the jobs run next", "", *runs]
    if migrations:
        lines += ["", "## What the migrations do besides", "", *(f"- {prose(each)}" for each in migrations)]
    if packages:
        lines += ["", "## Code of others in the functions", "", *(f"- {prose(each)}" for each in packages)]
    if changes := list(_changes(environments, code_files)):
        lines += ["", "## Everything that changes", *changes]
    if done := [f"- {prose(text)}" for each in environments for text in each.done]:
        lines += ["", "## A yes of an earlier change, which may go once that is deployed", "", *done]
    return "\n".join(lines) + "\n"


def _place(kind: str) -> int:
    if kind not in HEADINGS:
        raise ValueError(f"there is no heading for {kind}")  # index() names it up to Python 3.13 only
    return list(HEADINGS).index(kind)


def _verdict(environments: Sequence[EnvironmentReview], asked: Sequence[Decision]) -> Iterator[str]:
    still_open = [each for each in asked if each.open]
    if still_open:
        number = f"{len(still_open)} decision{'s' if len(still_open) > 1 else ''}"
        names = codes(each.name for each in environments if each.open)
        yield (
            f"**Not accepted yet: {number}**, in {names}. To say yes to one, write an `[[accept_change]]` with its "
            '`resource`, its `danger` and a `reason` into the environment\'s file; to all at once: `ACCEPT="reason"`.'
        )
        yield ""
        yield from list(how_to_accept(still_open))[:-1]
    elif any(each.mistakes for each in environments):
        yield "**Not accepted yet**: a yes in an environment file is for nothing. Correct it, or remove it."
    elif asked:
        yield "Everything that has to be accepted is."
    elif any(each.changed for each in environments):
        yield "Nothing loses data, blocks writers, breaks jobs, widens access or takes protection away."
    else:
        yield "Nothing changes in any environment."


def _costs(environments: Iterable[EnvironmentReview]) -> Iterator[str]:
    where: dict[CostChange, list[str]] = defaultdict(list)
    for environment in environments:
        if environment.cost:
            where[environment.cost].append(environment.name)
    for cost, names in where.items():
        total, *items = cost.markdown()
        yield f"- {codes(names)}: {total}"
        yield from (f"  - {item}" for item in items)
    if where:
        yield from ("", f"Prices on demand of {prices_date():%-d %B %Y}, without what goes by use: see `docs/cost.md`.")


def _runs(environments: Iterable[EnvironmentReview]) -> Iterator[str]:
    where: dict[NextRuns, list[str]] = defaultdict(list)
    for environment in environments:
        for runs in environment.runs:
            where[runs].append(environment.name)
    folded = len(where) > FEW
    if folded:
        yield from (f"<details><summary>{len(where)} schedules</summary>", "")
    for runs, names in where.items():
        yield f"- {code(runs.path)} in {codes(names)}"
        yield from (f"  - {each}" for each in runs.markdown())
    if folded:
        yield from ("", "</details>")
    if where:
        yield from ("", NOTE)


def _changes(environments: Iterable[EnvironmentReview], code_files: Sequence[str]) -> Iterator[str]:
    environments = list(environments)
    for environment in environments:
        if environment.note:
            yield from ("", f"{code(environment.name)} {prose(environment.note)}.")
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    for environment in environments:
        for stack, line in _lines(environment.changes, code_files):
            where[stack, line].append(environment.name)
    by_names: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (stack, line), names in where.items():
        by_names[tuple(names)][stack].append(f"- {prose(_named(line, names))}")
    for some, stacks in by_names.items():
        yield from ("", f"### {codes(some)}")
        for stack, lines in stacks.items():
            yield from ("", summary(stack, f": {len(lines)}"), "", *lines, "", "</details>")


def _named(line: str, names: Sequence[str]) -> str:
    """Return the line, with the environment's name if it is about one only."""
    return line.replace(ENVIRONMENT, file_name(names[0])) if len(names) == 1 else line


def _lines(changes: Iterable[Change], code_files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The stack and the line of each change."""
    functions: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for change in changes:
        resource = change.resource
        if any(_is_code(each) for each in change.differences):
            functions[resource.stack, resource.ours].append(_function(resource))
        if not change.code_only:
            yield resource.stack, _line(change)
    for (stack, ours), names in functions.items():
        made_from = codes(code_files) or "none of its files" if ours else "it comes with aws-cdk-lib"
        yield stack, f"code of {codes(names)} changed: {made_from}"


def _is_code(difference: Difference) -> bool:
    return difference.place[-1] == "S3Key"


def _function(resource: Resource) -> str:
    return str(resource.properties.get("FunctionName", resource.path)).removeprefix(f"{ENVIRONMENT}-")


def _line(change: Change) -> str:
    resource = change.resource
    if resource.kind == "Stack" and change.how == "removed":
        return f"{code(resource.path)} is no longer in the app. A deploy does not delete it: delete it by hand"
    reasons = [f"as {each}" for each in change.because] + [f"may be replaced, as {each}" for each in change.perhaps]
    said = {*change.because, *change.perhaps}
    rest = [each.text for each in change.differences if not _is_code(each) and each.text not in said]
    kind = f" ({code(resource.kind)})" if "::" in resource.kind else ""
    details = "; ".join([*reasons, *rest])
    return f"{code(resource.path)}{kind} {change.how}{f': {details}' if details else ''}"
