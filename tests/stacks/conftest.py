"""The templates of each environment of the fixture's project, and of environments that no file describes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from documents import synthesis
from local.made_once import made_once
from settings.environment import EnvironmentSettings
from settings.project import ROOT, Project
from stacks import compliance
from stacks.environment import Environment
from tests.fixture import ENVIRONMENTS, PROJECT
from tests.quick_app import quick_app
from tests.stacks.templates import Resources, Stacks, Synthesize


@pytest.fixture(params=ENVIRONMENTS)
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
def without_jobs(shared: Path) -> Path:
    """The app of a project with nothing but two environments: no job, no migration, not even folders for them."""
    return made_once(shared, "without_jobs", _synthesize_without_jobs) / "cdk.out"


def _synthesize_without_jobs(folder: Path) -> None:
    project = Project(folder)
    project.environments.mkdir()
    for name in ("basic", "large"):
        settings = (PROJECT.environments / f"{name}.toml").read_text().partition("[[jobs]]")[0]
        (project.environments / f"{name}.toml").write_text(
            f"proxy.enabled = {str(name == 'large').lower()}\n{settings}"
        )
    synthesis.synthesize(project, folder / "cdk.out")


@pytest.fixture(scope="session")
def synthesize(synthesize_whole: Synthesize) -> Synthesize:
    """The stacks of an environment: the resources of what `synthesize_whole` returns."""

    def synthesize(*arguments: Any, **changes: Mapping[str, Any]) -> Stacks:
        return {name: whole.get("Resources", {}) for name, whole in synthesize_whole(*arguments, **changes).items()}

    return synthesize


@pytest.fixture(scope="session")
def synthesize_whole(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """The templates of an environment, with sections of its settings changed; `context` is as in cdk.context.json."""
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    flags["aws:cdk:bundling-stacks"] = []  # what isn't bundled costs no time

    def synthesize(
        settings: EnvironmentSettings, context: Mapping[str, Any] = {}, **changes: Mapping[str, Any]
    ) -> dict[str, Any]:
        for section, values in changes.items():
            settings = settings.model_copy(update={section: getattr(settings, section).model_copy(update=values)})
        folder = tmp_path_factory.mktemp("cdk.out")
        app = quick_app(outdir=str(folder), context={**flags, **context})
        environment = Environment(app, project=PROJECT, settings=settings)
        compliance.acknowledge(environment)
        app.synth()
        templates = folder / f"assembly-{settings.name}"
        return {
            stack.node.id: json.loads((templates / stack.template_file).read_text())
            for stack in (environment.network, environment.database, environment.jobs)
        }

    return synthesize
