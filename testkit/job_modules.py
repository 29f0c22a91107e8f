"""The package `jobs` of one project or another, in one process."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

from settings.project import Project
from testkit.job_packages import let_import


@contextmanager
def jobs_of(project: Project) -> Iterator[None]:
    """Within, `jobs` is the package of `project`; afterwards it is what it was before.

    If it is that of `project` already, it stays as it is: a test may have imported it, and changed something in it.
    """
    let_import()
    folder = str(project.jobs)
    if folder in getattr(sys.modules.get("jobs"), "__path__", ()):
        yield
        return
    before = _taken_out()
    try:
        sys.modules["jobs"] = _package(folder, project)
        yield
    finally:
        _taken_out()
        sys.modules.update(before)


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == "jobs"]
    return {name: sys.modules.pop(name) for name in names}


def _package(folder: str, project: Project) -> ModuleType:
    """Make the package itself; its modules are imported when they are asked for."""
    # Not by a folder in sys.path: there, that of another project could be found first.
    init = project.jobs / "__init__.py"
    if not init.is_file():
        spec = ModuleSpec("jobs", loader=None, is_package=True)
        spec.submodule_search_locations = [folder]
        return importlib.util.module_from_spec(spec)
    found = importlib.util.spec_from_file_location("jobs", init, submodule_search_locations=[folder])
    if found is None or found.loader is None:
        raise ImportError(f"{init} can't be imported")
    package = importlib.util.module_from_spec(found)
    found.loader.exec_module(package)
    return package
