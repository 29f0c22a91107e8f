"""The kit's own tests run on the fixture's project."""

import pytest

from settings.project import Project
from tests.fixture import PROJECT


@pytest.fixture(scope="session")
def project() -> Project:
    return PROJECT
