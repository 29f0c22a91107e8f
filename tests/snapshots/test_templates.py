"""Every template of every environment, as it was last accepted. `make snapshots` accepts the current ones."""

import re
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from stacks.environment_files import load_environments

STACKS = ("Network", "Database", "Jobs")
BOOTSTRAP = ("Parameters", "BootstrapVersion"), ("Rules", "CheckBootstrapVersion")


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("environment", [settings.name for settings in load_environments()])
def test_template(
    environment: str, stack: str, templates: dict[str, dict[str, dict[str, Any]]], snapshot: SnapshotAssertion
) -> None:
    assert readable(templates[environment][stack]) == snapshot(extension_class=JSONSnapshotExtension)


def test_every_stack_has_a_snapshot(templates: dict[str, dict[str, dict[str, Any]]]) -> None:
    assert {stack for stacks in templates.values() for stack in stacks} == set(STACKS)


def readable(template: dict[str, Any]) -> Any:
    """The template without what says nothing about what is deployed: hashes of code and the CDK's own checks."""
    kept = {key: dict(value) if isinstance(value, dict) else value for key, value in template.items()}
    for section, name in BOOTSTRAP:
        kept[section].pop(name)
        if not kept[section]:
            del kept[section]
    return without_hashes(kept)


def without_hashes(value: Any) -> Any:
    match value:
        case dict():
            return {without_hashes(key): without_hashes(part) for key, part in value.items()}
        case list():
            return [without_hashes(part) for part in value]
        case str():
            value = re.sub(r"[0-9a-f]{64}(?=\.(zip|json))", "<hash>", value)
            # A function's version is named for the hash of its code and settings.
            return re.sub(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}", r"\1<hash>", value)
        case _:
            return value
