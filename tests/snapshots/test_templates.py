"""Every template of every environment, as it was last accepted. `make snapshots` accepts the current ones."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from stacks.environment_files import load_environments

ENVIRONMENTS = [settings.name for settings in load_environments()]
DELIVERED = [settings.name for settings in load_environments() if settings.delivery is not None]
STACKS = ("Network", "Database", "Jobs")
BOOTSTRAP = ("Parameters", "BootstrapVersion"), ("Rules", "CheckBootstrapVersion")


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_template(
    environment: str, stack: str, templates: dict[str, dict[str, dict[str, Any]]], snapshot: SnapshotAssertion
) -> None:
    assert readable(templates[environment][stack]) == snapshot(extension_class=JSONSnapshotExtension)


@pytest.mark.parametrize("environment", DELIVERED)
def test_delivery_template(environment: str, assembly: Path, snapshot: SnapshotAssertion) -> None:
    [template] = (assembly / f"assembly-{environment}-delivery").glob("*.template.json")
    assert readable(json.loads(template.read_text())) == snapshot(extension_class=JSONSnapshotExtension)


def test_every_stack_has_a_snapshot(templates: dict[str, dict[str, dict[str, Any]]]) -> None:
    stacks = {name: set(each) for name, each in templates.items() if not name.endswith("-delivery")}
    assert stacks == {name: set(STACKS) for name in ENVIRONMENTS}
    delivering = {name: len(each) for name, each in templates.items() if name not in stacks}
    assert delivering == {f"{name}-delivery": 1 for name in DELIVERED}


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
