"""cdk-nag, cfn-lint, checkov and AWS's own models find nothing in the team's environments that is not acknowledged."""

import json
from pathlib import Path

import pytest

from review.templates import SynthesizedEnvironment, file_name, read_environments
from settings.files import load_environment
from settings.project import ROOT, Project
from tests import checkov_findings, policies, service_models
from tests.cfn_lint import findings, is_ignored
from tests.conftest import read_templates
from tests.service_models import Checked

ENVIRONMENTS = sorted(file.stem for file in Project(ROOT).environments.glob("*.toml"))


@pytest.fixture(scope="session")
def stages(assembly: Path) -> dict[str, SynthesizedEnvironment]:
    """What is synthesized: each environment, and its delivery."""
    return read_environments(assembly)


@pytest.fixture(scope="session")
def checked(assembly: Path, stages: dict[str, SynthesizedEnvironment]) -> dict[str, list[Checked]]:
    """The templates of each, held against the models of AWS's APIs."""
    return {
        name: [
            service_models.check(template, region=stages[name].region, account=stages[name].account)
            for template in templates.values()
        ]
        for name, templates in read_templates(assembly).items()
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_cdk_nag_finds_nothing(environment: str, assembly: Path) -> None:
    report = json.loads((assembly / "validation-report.json").read_text())
    assert [
        f"{construct['constructPath']}: {violation['ruleName']}: {violation['description']}"
        for plugin in report["pluginReports"]
        for violation in plugin.get("violations") or ()
        for construct in violation["violatingConstructs"]
        if construct["constructPath"].startswith((f"{environment}/", f"{environment}-"))
    ] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_cfn_lint_finds_nothing(environment: str, assembly: Path, stages: dict[str, SynthesizedEnvironment]) -> None:
    templates = [
        template
        for name in _stages(environment)
        for template in sorted(assembly.glob(f"assembly-{name}/*.template.json"))
    ]
    region = stages[environment].region
    assert [line for line in findings(templates, [region]) if not is_ignored(line)] == []


def test_checkov_finds_nothing(assembly: Path) -> None:
    # Of a resource of yours: tests/checkov_program.py says how its metadata skips a rule.
    found = checkov_findings.findings(sorted(assembly.glob("assembly-*/*.template.json")))
    settings = {name: load_environment(Project(ROOT), name) for name in ENVIRONMENTS}
    about = {name: [each for each in found if file_name(each.path.partition("/")[0]) == name] for name in ENVIRONMENTS}
    assert [line for name in ENVIRONMENTS for line in checkov_findings.left(about[name], settings[name])] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_value_is_one_that_aws_takes(environment: str, checked: dict[str, list[Checked]]) -> None:
    found = [each for name in _stages(environment) for each in checked.get(name, ())]
    assert [text for each in found for text in each.wrong] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_right_is_of_an_action_that_exists_on_what_it_acts_on(
    environment: str, stages: dict[str, SynthesizedEnvironment]
) -> None:
    # A right on everything is cdk-nag's: IAM5.
    there = [stages[name] for name in _stages(environment) if name in stages]
    assert [text for each in there for text in policies.check(each).wrong] == []


def _stages(environment: str) -> tuple[str, str]:
    return environment, f"{environment}-delivery"
