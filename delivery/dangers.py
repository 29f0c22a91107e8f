"""The dangers of a deploy: by the rules of `make diff BASE=main`, against what is deployed, and the yes to each.

A yes is in the environment file that is deployed, where it was reviewed, or it is given on the terminal. Migrations are
not judged here: which are new there, only the database knows, and `make diff BASE=main` has judged them before.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from delivery import question
from delivery.assembly import Assembly
from delivery.aws import Aws, DeployedStack
from delivery.checks import never_made
from delivery.refusal import Refused
from review import acceptance
from review.acceptance import Asked, Yes
from review.danger import Danger
from review.jobs_stacks import FIRST
from review.judgement import dangers
from review.report import HEADINGS
from review.templates import ENVIRONMENT, read_environments, read_templates
from settings.environment import EnvironmentSettings


@dataclass(frozen=True, kw_only=True)
class Found:
    """The dangers of a deploy of one environment."""

    environment: str
    dangers: Sequence[Danger]
    accepted: Mapping[Asked, str]
    """Reasons, by the resource and the code of the dangers."""

    @property
    def open(self) -> list[Asked]:
        """What nobody has said yes to, each once."""
        still = (each for each in self.dangers if (each.resource, each.code) not in self.accepted)
        return list(dict.fromkeys(acceptance.asked(each, self.environment) for each in still))

    def lines(self) -> Iterator[str]:
        """What is shown of them; nothing if there are none."""
        if self.dangers:
            yield "\nWhat needs a yes, against what is deployed:"
        for each in self.dangers:
            resource, code = acceptance.asked(each, self.environment)
            reason = self.accepted.get((each.resource, each.code))
            yield f"\n- {HEADINGS[each.kind]}: {resource}, {code}"
            yield from (f"  {text.replace(ENVIRONMENT, self.environment)}." for text in (each.text, each.then) if text)
            yield "  Not accepted yet." if reason is None else f"  Accepted: {reason}"


def found(
    settings: EnvironmentSettings,
    assembly: Assembly,
    aws: Aws,
    deployed: Mapping[str, DeployedStack],
    *,
    accept: str = "",
) -> Found:
    """Compare `assembly` with what is deployed; `accept`, if given, is the reason for what no entry accepts."""
    judged = _judged(assembly, aws, {name: each for name, each in deployed.items() if not never_made(each)})
    entries = [
        Yes(resource=each.resource.replace(ENVIRONMENT, settings.name), danger=each.danger, reason=each.reason)
        for each in settings.accept_change
    ]
    return Found(
        environment=settings.name,
        dangers=judged,
        accepted=acceptance.accepted(judged, entries, settings.name, accept),
    )


def _judged(assembly: Assembly, aws: Aws, made: Mapping[str, DeployedStack]) -> list[Danger]:
    if not made:
        return []
    after = read_environments(assembly.folder)[assembly.environment]
    short = {name: name.removeprefix(f"{after.name}-") for name in made}
    templates = {short[name]: aws.template(name) for name in made}
    protected = {short[name]: stack.protected for name, stack in made.items()}
    before = read_templates(after.name, after.account, after.region, templates, protected)
    if FIRST not in before.stacks:
        # Its first deploy did not come to its end: what was not made yet is as new as all was then.
        new = {key: each for key, each in after.resources.items() if each.stack in before.stacks}
        after = replace(after, resources=new)
    return dangers(before, after)


def answered(these: Found) -> bool:
    """Ask on the terminal for what nobody has said yes to; return whether all of it is answered so now.

    Raises:
        Refused: there is no terminal to ask on.
    """
    if these.open and not sys.stdin.isatty():
        raise Refused(_unanswered(these.environment, these.open))
    return all(question.danger(*each) for each in these.open)


def _unanswered(environment: str, still_open: Iterable[Asked]) -> str:
    blocks = "\n".join(acceptance.entry(each) for each in still_open)
    return (
        "Not everything that needs a yes has one, YES=1 is none, and there is no terminal to ask on. If it is meant, "
        "one of:\n"
        f"- answer on a terminal: `make deploy ENV={environment}`\n"
        f'- say yes to all of it: `make deploy ENV={environment} YES=1 ACCEPT="reason"`\n'
        f"- in the pull request that brings it, give the reasons in environments/{environment}.toml:\n\n{blocks}"
    ).rstrip()
