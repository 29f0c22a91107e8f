"""The report in Markdown: dangers first, then every change, folded by environment and stack."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from review.changes import Change
from review.danger import Danger
from review.difference import Difference
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


@dataclass(frozen=True, kw_only=True)
class EnvironmentReview:
    """What changes in one environment."""

    name: str
    changes: Sequence[Change] = ()
    dangers: Sequence[Danger] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Reasons, by the resource that its dangers are accepted for."""
    note: str | None = None
    """What to know of the environment as a whole."""

    @property
    def open(self) -> list[Danger]:
        """The dangers that are not accepted."""
        return [danger for danger in self.dangers if danger.resource not in self.accepted]

    @property
    def changed(self) -> bool:
        """Whether anything changes at all."""
        return bool(self.changes or self.dangers or self.note)


def markdown(
    title: str, environments: Sequence[EnvironmentReview], code: Sequence[str], migrations: Sequence[str] = ()
) -> str:
    """The report.

    `code` lists the files that the code of the functions is made from and that changed; `migrations` what their
    harmless statements do.
    """
    lines = [f"# {title}", "", *_verdict(environments)]
    for kind, heading in HEADINGS.items():
        if dangers := list(_dangers(environments, kind)):
            lines += ["", f"## {heading}", "", *dangers]
    if migrations:
        lines += ["", "## What the migrations do besides", "", *(f"- {each}" for each in migrations)]
    if changes := list(_changes(environments, code)):
        lines += ["", "## Everything that changes", *changes]
    return "\n".join(lines) + "\n"


def _verdict(environments: Iterable[EnvironmentReview]) -> Iterator[str]:
    environments = list(environments)
    still_open = [each.name for each in environments if each.open]
    if still_open:
        yield (
            f"**Not accepted yet** in {', '.join(still_open)}. To accept it, give the reason: in the environment's "
            'file with `[[accept_change]]`, `resource` and `reason`, or for all at once with `ACCEPT="reason"`.'
        )
    elif any(each.dangers for each in environments):
        yield "Everything that has to be accepted is."
    elif any(each.changed for each in environments):
        yield "Nothing loses data, blocks writers, breaks jobs, widens access or takes protection away."
    else:
        yield "Nothing changes in any environment."


def _dangers(environments: Iterable[EnvironmentReview], kind: str) -> Iterator[str]:
    where: dict[tuple[Danger, str | None], list[str]] = defaultdict(list)
    for environment in environments:
        for danger in environment.dangers:
            if danger.kind == kind:
                where[danger, environment.accepted.get(danger.resource)].append(environment.name)
    for (danger, reason), names in where.items():
        answer = "**Not accepted.**" if reason is None else f"Accepted: {reason}"
        yield _named(f"- {', '.join(names)}: `{danger.resource}`: {danger.text}. {answer}", names)


def _changes(environments: Iterable[EnvironmentReview], code: Sequence[str]) -> Iterator[str]:
    environments = list(environments)
    for environment in environments:
        if environment.note:
            yield from ("", f"{environment.name} {environment.note}.")
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    for environment in environments:
        for stack, line in _lines(environment.changes, code):
            where[stack, line].append(environment.name)
    by_names: dict[tuple[str, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for (stack, line), names in where.items():
        by_names[tuple(names)][stack].append(_named(line, names))
    for some, stacks in by_names.items():
        yield from ("", f"### {', '.join(some)}")
        for stack, lines in stacks.items():
            yield from ("", f"<details><summary>{stack}: {len(lines)}</summary>", "", *lines, "", "</details>")


def _named(line: str, names: Sequence[str]) -> str:
    """Return the line, with the environment's name if it is about one only."""
    return line.replace(ENVIRONMENT, file_name(names[0])) if len(names) == 1 else line


def _lines(changes: Iterable[Change], code: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The stack and the line of each change."""
    functions: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for change in changes:
        resource = change.resource
        if any(_is_code(each) for each in change.differences):
            functions[resource.stack, resource.ours].append(f"`{_function(resource)}`")
        if not change.code_only:
            yield resource.stack, _line(change)
    for (stack, ours), names in functions.items():
        made_from = ", ".join(f"`{file}`" for file in code) if ours else "it comes with aws-cdk-lib"
        yield stack, f"- code of {', '.join(names)} changed: {made_from}"


def _is_code(difference: Difference) -> bool:
    return difference.place[-1] == "S3Key"


def _function(resource: Resource) -> str:
    return str(resource.properties.get("FunctionName", resource.path)).removeprefix(f"{ENVIRONMENT}-")


def _line(change: Change) -> str:
    resource = change.resource
    if resource.kind == "Stack" and change.how == "removed":
        return f"- `{resource.path}` is no longer in the app. A deploy does not delete it: delete it by hand"
    reasons = [f"as {each}" for each in change.because] + [f"may be replaced, as {each}" for each in change.perhaps]
    said = {*change.because, *change.perhaps}
    rest = [each.text for each in change.differences if not _is_code(each) and each.text not in said]
    kind = f" ({resource.kind})" if "::" in resource.kind else ""
    details = "; ".join([*reasons, *rest])
    return f"- `{resource.path}`{kind} {change.how}{f': {details}' if details else ''}"
