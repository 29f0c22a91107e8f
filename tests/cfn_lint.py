"""cfn-lint, with the newest schemas of CloudFormation that it brings, over templates."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

IGNORED = {
    "E3691": "its list has whole versions only, and RDS takes a major version alone: stacks/database/instance.py",
    "W3005": "redundant entries in DependsOn: the CDK writes them, and CloudFormation does not mind",
}


def findings(templates: Iterable[Path], regions: Iterable[str]) -> list[str]:
    """What it finds, a line for each finding; those of `IGNORED`, too."""
    program = str(Path(sys.executable).with_name("cfn-lint"))
    finished = subprocess.run(
        [program, "--format", "parseable", "--regions", *sorted(regions), "--", *map(str, templates)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stderr == ""
    return finished.stdout.splitlines()


def is_ignored(finding: str) -> bool:
    """Whether nobody has to do anything about it."""
    return any(f":{rule}:" in finding for rule in IGNORED)
