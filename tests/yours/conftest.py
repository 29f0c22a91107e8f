"""What the team's environments are synthesized to, once for all tests of them."""

from pathlib import Path

import pytest

from documents.synthesis import synthesize
from settings.project import ROOT, Project


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The team's project, synthesized, every environment of it."""
    return synthesize(Project(ROOT), tmp_path_factory.mktemp("cdk.out"))
