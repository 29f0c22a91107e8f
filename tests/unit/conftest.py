"""The templates of each environment, and of environments that no file describes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from stacks import compliance
from stacks.environment import Environment
from stacks.environment_files import load_environments
from stacks.settings import ROOT, EnvironmentSettings
from tests.unit.templates import Resources, Stacks, Synthesize


@pytest.fixture(scope="session")
def settings() -> dict[str, EnvironmentSettings]:
    """The settings of the environments, by name."""
    return {each.name: each for each in load_environments()}


@pytest.fixture(params=[settings.name for settings in load_environments()])
def environment(request: pytest.FixtureRequest) -> str:
    """Each environment in turn, by name."""
    name: str = request.param
    return name


@pytest.fixture
def network(environment: str, templates: dict[str, Any]) -> Resources:
    """The environment's network, by logical id."""
    resources: Resources = templates[environment]["Network"]["Resources"]
    return resources


@pytest.fixture
def jobs(environment: str, templates: dict[str, Any]) -> Resources:
    """All that runs in the environment, by logical id."""
    resources: Resources = templates[environment]["Jobs"]["Resources"]
    return resources


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """The stacks of an environment, with sections of its settings changed; `context` is as in cdk.context.json."""
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    flags["aws:cdk:bundling-stacks"] = []  # what isn't bundled costs no time

    def synthesize(
        settings: EnvironmentSettings, context: Mapping[str, Any] = {}, **changes: Mapping[str, Any]
    ) -> Stacks:
        for section, values in changes.items():
            settings = settings.model_copy(update={section: getattr(settings, section).model_copy(update=values)})
        folder = tmp_path_factory.mktemp("cdk.out")
        app = cdk.App(outdir=str(folder), context={**flags, **context})
        environment = Environment(app, settings=settings)
        compliance.acknowledge(environment)
        app.synth()
        templates = folder / f"assembly-{settings.name}"
        return {
            stack.node.id: _resources(templates / stack.template_file)
            for stack in (environment.network, environment.database, environment.jobs)
        }

    return synthesize


def _resources(template: Path) -> Resources:
    resources: Resources = json.loads(template.read_text()).get("Resources", {})
    return resources
