"""cfn-lint finds nothing in any template."""

from pathlib import Path

from tests.cfn_lint import IGNORED, findings, is_ignored
from tests.fixture import ENVIRONMENTS


def test_cfn_lint_finds_nothing_but_what_is_ignored_and_all_of_that(assembly: Path, without_jobs: Path) -> None:
    environments = ENVIRONMENTS.values()
    templates = [each for app in (assembly, without_jobs) for each in app.glob("assembly-*/*.template.json")]
    assert len(templates) > 3 * len(environments) + sum(each.delivery is not None for each in environments)
    found = findings(templates, {settings.region for settings in environments})
    assert [line for line in found if not is_ignored(line)] == []
    assert all(any(f":{rule}:" in line for line in found) for rule in IGNORED)
