"""The programs in .github/scripts, which are no package, as modules."""

import importlib.util
from typing import Any

from settings.project import ROOT

SCRIPTS = ROOT / ".github" / "scripts"


def module(name: str) -> Any:
    """Load .github/scripts/<name>.py."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
