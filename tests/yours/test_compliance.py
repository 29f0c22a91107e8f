"""cdk-nag and cfn-lint find nothing in the team's environments that is not acknowledged."""

import json
from pathlib import Path

import pytest

from review.templates import read_environments
from settings.project import ROOT, Project
from tests.cfn_lint import findings, is_ignored

ENVIRONMENTS = sorted(file.stem for file in Project(ROOT).environments.glob("*.toml"))


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
def test_cfn_lint_finds_nothing(environment: str, assembly: Path) -> None:
    stages = (assembly / f"assembly-{environment}", assembly / f"assembly-{environment}-delivery")
    templates = [template for stage in stages for template in sorted(stage.glob("*.template.json"))]
    region = read_environments(assembly)[environment].region
    assert [line for line in findings(templates, [region]) if not is_ignored(line)] == []
