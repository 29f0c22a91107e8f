"""What the team's environments are synthesized to, once for all tests of them."""

from pathlib import Path

import pytest

from documents.synthesis import synthesize
from local.made_once import made_once
from settings.project import ROOT, Project


@pytest.fixture(scope="session")
def assembly(shared: Path) -> Path:
    """The team's project, synthesized, every environment of it."""
    return made_once(shared, "yours.out", lambda folder: synthesize(Project(ROOT), folder))
