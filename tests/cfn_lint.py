"""cfn-lint over templates: all its rules, with the schemas of CloudFormation's resource types that it brings."""

import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from cfnlint.config import ConfigMixIn
from cfnlint.runner import Runner

IGNORED = {
    "E3691": "its list has whole versions only, and RDS takes a major version alone: stacks/database/instance.py",
    "W3005": "redundant entries in DependsOn: the CDK writes them, and CloudFormation does not mind",
}
INFORMATIONAL = ("I3011", "I3013", "I3037", "I3510")
"""Rules that it leaves out unless they are asked for: what holds data says what becomes of it and for how long it is
kept, lists have nothing twice, a policy's actions and resources match. Its others are about style, or warn from 80 % of
a limit on; its experimental ones ask for comments of a form that only cfn-lint knows."""


def findings(templates: Iterable[Path], regions: Iterable[str]) -> list[str]:
    """What it finds, a line for each finding; those of `IGNORED`, too."""
    # Nothing is made for a VPC that is there, and the CDK CLI skips a stack without resources.
    deployed = [str(each) for each in templates if "Resources" in json.loads(each.read_text())]
    # In this process: to start the program takes as long as to read a template.
    return list(_lines(["--regions", *sorted(regions), "--include-checks", *INFORMATIONAL, "--", *deployed]))


def is_ignored(finding: str) -> bool:
    """Whether nobody has to do anything about it."""
    return any(f":{rule}:" in finding for rule in IGNORED)


def _lines(arguments: list[str]) -> Iterator[str]:
    runner = _runner()
    runner.config = ConfigMixIn(arguments)
    for match in runner.run():
        place = "/".join(map(str, getattr(match, "path", None) or ()))
        yield f"{match.filename}:{match.linenumber}:{match.rule.id}:{place}: {match.message}"


@cache
def _runner() -> Runner:
    """Its rules are made once: that takes as long as to read a template."""
    return Runner(ConfigMixIn(["--", os.devnull]))
