"""What the tests of the documents share."""

import copy
from typing import Any

import pytest

from review.templates import SynthesizedEnvironment, read_templates

DRAWN = "large"
"""The fixture's environment that the picture in docs/ shows."""
Stacks = dict[str, dict[str, Any]]


@pytest.fixture
def stacks(templates: dict[str, Stacks]) -> Stacks:
    """The templates of the environment that is drawn, to be changed."""
    return copy.deepcopy(templates[DRAWN])


def read(stacks: Stacks) -> SynthesizedEnvironment:
    """The environment that is drawn, with `stacks`."""
    return read_templates(DRAWN, "333333333333", "eu-central-1", stacks, {})
