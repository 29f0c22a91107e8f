"""cfn-lint, with the newest schemas of CloudFormation that it brings, finds nothing in any template."""

import subprocess
import sys
from pathlib import Path

from stacks.environment_files import load_environments

IGNORED = {
    "W3005": "redundant entries in DependsOn: the CDK writes them, and CloudFormation does not mind",
    "W3010": "the zones are a setting: a template that asked AWS for them would differ between accounts",
}


def test_cfn_lint_finds_nothing_but_what_is_ignored_and_all_of_that(assembly: Path) -> None:
    templates = sorted(str(template) for template in assembly.glob("assembly-*/*.template.json"))
    environments = load_environments()
    assert len(templates) == 3 * len(environments) + sum(each.delivery is not None for each in environments)
    regions = sorted({settings.region for settings in environments})
    program = str(Path(sys.executable).with_name("cfn-lint"))
    finished = subprocess.run(
        [program, "--format", "parseable", "--regions", *regions, "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )
    found = finished.stdout.splitlines()
    assert finished.stderr == ""
    assert [line for line in found if not any(f":{rule}:" in line for rule in IGNORED)] == []
    assert all(f":{rule}:" in finished.stdout for rule in IGNORED)
