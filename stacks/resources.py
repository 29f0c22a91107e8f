"""What a team deploys beside what the engine makes: a bucket, a queue, a table."""

import importlib.util

from settings.project import Project
from stacks.environment import Environment


def add_resources(project: Project, environment: Environment) -> None:
    """Call `add(environment)` of the project's resources.py, if it has one.

    Raises:
        AttributeError: it has no function `add`.
    """
    if not project.resources.is_file():
        return
    spec = importlib.util.spec_from_file_location("resources", project.resources)
    if spec is None or spec.loader is None:
        raise AssertionError(f"{project.resources} is a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.add(environment)
