"""The yes of an environment file, `[[accept_change]]`: which dangers it answers, and which of its entries are mistaken.

A yes is for one danger of one resource, and for one change. What the base has already belongs to an earlier change and
answers nothing. It is no mistake as long as nothing of it comes again: the pull request after the one that brought it
is somebody else's. If the same danger comes again, somebody may think that it is answered: it has to be said anew.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from review.danger import Danger
from review.templates import ENVIRONMENT, SynthesizedEnvironment
from settings.spelling import as_written, did_you_mean

Asked = tuple[str, str]
"""What one yes is for: a resource, and the code of its danger."""


@dataclass(frozen=True, kw_only=True)
class Yes:
    """An entry of an environment file."""

    resource: str
    danger: str
    """The danger's code; empty in a base that is older than these codes."""
    reason: str

    @property
    def asked(self) -> Asked:
        """What it is for."""
        return self.resource, self.danger


@dataclass(frozen=True, kw_only=True)
class Entries:
    """The entries of one environment's file after a change."""

    new: Sequence[Yes] = ()
    past: Sequence[Yes] = ()
    """Those that the base has, too."""


def entries(base: Path, change: Path, environment: str) -> Entries:
    """Read the file of `environment` in two checkouts."""
    before, after = _read(base, environment), _read(change, environment)
    return Entries(new=[each for each in after if each not in before], past=[each for each in after if each in before])


def _read(project: Path, environment: str) -> list[Yes]:
    file = project / "environments" / f"{environment}.toml"
    if not file.is_file():
        return []
    found = tomllib.loads(file.read_text(encoding="utf-8-sig")).get("accept_change", [])
    return [
        Yes(
            resource=each["resource"].replace(ENVIRONMENT, environment),  # of a report of several environments
            danger=each.get("danger", ""),
            reason=each["reason"],
        )
        for each in found
    ]


def asked(danger: Danger, environment: str) -> Asked:
    """What a yes to `danger` has to name in the file of `environment`."""
    return danger.resource.replace(ENVIRONMENT, environment), danger.code


def accepted(dangers: Iterable[Danger], some: Iterable[Yes], environment: str, accept: str = "") -> dict[Asked, str]:
    """Return the reasons of those `dangers` that are accepted, by the resource and the code that they have themselves.

    `accept`, if given, is the reason for all that no entry is for.
    """
    reasons = {each.asked: each.reason for each in some}
    found = {(each.resource, each.code): reasons.get(asked(each, environment), accept) for each in dangers}
    return {which: reason for which, reason in found.items() if reason}


def known_resources(
    project: Path, environment: str, syntheses: Iterable[SynthesizedEnvironment], came: Iterable[Asked]
) -> set[str]:
    """Return all that an entry of `environment` can name: what is there before or after the change, and migrations."""
    paths = {each.path.replace(ENVIRONMENT, environment) for one in syntheses for each in one.resources.values()}
    code = project / "lambda"
    migrations = {file.relative_to(code).as_posix() for file in code.glob("**/migrations/*.sql")}
    return paths | migrations | {resource for resource, _code in came}


def mistakes(
    environment: str,
    given: Entries,
    came: Mapping[str, Collection[Asked]],
    *,
    still_open: Collection[Asked],
    known: Collection[str],
) -> Iterator[str]:
    """What is wrong with the entries of `environment`, and what to write instead: Markdown, without a full stop.

    `came` has what is asked in each environment; `still_open` is what nobody has answered in this one.
    """
    for each in given.new:
        if each.asked not in came[environment]:
            yield f"{_named(environment, each)}: {_instead(each, came, came[environment], known)}"
    for each in given.past:
        if each.asked in still_open:
            yield (
                f"{_named(environment, each)}: this yes was for an earlier change, and the danger comes again. Is it "
                f"meant again? Then write the reason for this change instead of {_value(each.reason)}"
            )


def done(environment: str, given: Entries, still_open: Collection[Asked]) -> Iterator[str]:
    """The entries of `environment` that were for an earlier change and may go, as Markdown."""
    yield from (_named(environment, each) for each in given.past if each.asked not in still_open)


def entry(which: Asked) -> str:
    """The entry that says yes to `which`, to be copied; its reason is for a person to write."""
    resource, danger = which
    return f'[[accept_change]]\nresource = {as_written(resource)}\ndanger = {as_written(danger)}\nreason = ""\n'


def _instead(each: Yes, came: Mapping[str, Collection[Asked]], here: Collection[Asked], known: Collection[str]) -> str:
    codes = sorted(code for resource, code in here if resource == each.resource)
    if codes:
        likely = did_you_mean(each.danger, codes, otherwise=f"write {' or '.join(codes)}")
        return f"that danger did not come: {likely}"
    if elsewhere := [name for name, some in came.items() if each.asked in some]:
        return f"that danger comes in {', '.join(elsewhere)} only: move it to environments/{elsewhere[0]}.toml"
    if each.resource in known:
        return "nothing of it needs a yes: remove the entry"
    likely = did_you_mean(each.resource, known, otherwise="write it as the report does, or remove the entry")
    return f"there is no such resource: {likely}"


def _named(environment: str, each: Yes) -> str:
    return f"environments/{environment}.toml: {_value(each.resource)}, {_value(each.danger)}"


def _value(text: str) -> str:
    written = as_written(text).replace("`", "'")
    return f"`{written}`"
