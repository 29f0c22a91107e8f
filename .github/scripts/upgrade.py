"""Write newer versions into pyproject.toml: of the packages that it names, those in a list that pip made.

usage: python upgrade.py pyproject.toml < outdated.json, which is what `pip list --outdated --format=json` prints.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path


def upgraded(project: str, outdated: Iterable[Mapping[str, str]]) -> str:
    """The text of `project` with the newer versions."""
    for each in outdated:
        # However it is spelt: https://packaging.python.org/en/latest/specifications/name-normalization/
        name = "[-_.]+".join(map(re.escape, re.split("[-_.]+", each["name"])))
        pin = re.compile(rf'(?<=")({name}==){re.escape(each["version"])}(?=")', flags=re.IGNORECASE)
        project = pin.sub(rf"\g<1>{each['latest_version']}", project)
    return project


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(upgraded(file.read_text(), json.load(sys.stdin)))
