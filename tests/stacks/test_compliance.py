"""cdk-nag and the CDK's own validation: nothing unacknowledged, and no acknowledgement that is no longer needed."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from settings.project import ROOT
from stacks import compliance
from stacks.environment import Environment
from tests.fixture import ENVIRONMENTS, PROJECT


def test_nothing_is_found_that_is_not_acknowledged(assembly: Path, without_jobs: Path) -> None:
    assert _findings(assembly, "violations") == _findings(without_jobs, "violations") == set()


@pytest.mark.synthesis
def test_every_acknowledgement_is_needed_and_says_why(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), context=json.loads((ROOT / "cdk.json").read_text())["context"])
    environments = [Environment(app, project=PROJECT, settings=each) for each in ENVIRONMENTS.values()]
    acknowledgements = [
        (each.settings.name, acknowledgement)
        for each in environments
        for acknowledgement in compliance.acknowledgements(each.settings, each.places)
    ]
    compliance.check(app)
    with pytest.raises(RuntimeError, match="AwsSolutions"):
        app.synth()
    assert _findings(tmp_path, "violations") == {
        (f"{name}/{each.construct}", each.finding) for name, each in acknowledgements
    }
    assert all(len(each.reason) > 20 for _, each in acknowledgements)


def _findings(assembly: Path, kind: str) -> set[tuple[str, str]]:
    report: dict[str, Any] = json.loads((assembly / "validation-report.json").read_text())
    return {
        (construct["constructPath"], f"{plugin['pluginName'].replace(' ', '-')}::{violation['ruleName']}")
        for plugin in report["pluginReports"]
        for violation in plugin.get(kind) or ()
        for construct in violation["violatingConstructs"]
    }
