"""A project's environments, synthesized in this process."""

from __future__ import annotations

import json
from pathlib import Path

import aws_cdk as cdk

from app import build
from settings.project import ROOT, Project


def synthesize(project: Project, folder: Path, *, validated: bool = True) -> Path:
    """Synthesize every environment of `project` into `folder`; none, if it has none. Return `folder`.

    If not `validated`, cdk-nag alone looks at the templates: the CDK's own validation is half of the time.

    Raises:
        SettingsError: an environment file is wrong.
        RuntimeError: cdk-nag found what is not acknowledged.
    """
    if not project.environment_names():
        return folder
    # The CLI hands over the context of both files; without it, this would be another app than the deployed one.
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    looked_up = project.folder / "cdk.context.json"
    if looked_up.exists():
        context |= json.loads(looked_up.read_text())
    # As the CLI sets them: constructs are named by their paths, and code by whether it is ours.
    context |= {"aws:cdk:enable-path-metadata": True, "aws:cdk:enable-asset-metadata": True}
    app = cdk.App(outdir=str(folder), context=context, builtin_cloud_formation_validation=validated)
    build(app, project)
    app.synth()
    return folder
