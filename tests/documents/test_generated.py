"""The generated documents say what the settings and the stacks say. `make docs` writes them."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from documents.__main__ import documents
from documents.reference import schema
from documents.snapshots import snapshots
from settings.environment import EnvironmentSettings
from settings.project import ROOT
from tests.fixture import ENVIRONMENTS, PROJECT, VARIANTS

TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}


def test_the_documents_are_current(assembly: Path) -> None:
    for file, text in documents(assembly).items():
        assert file.read_text() == text, f"{file.relative_to(ROOT)}: run make docs, and look at it"


FILES = [*PROJECT.environments.glob("*.toml"), *VARIANTS.glob("*.toml")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_schema_knows_every_key_of(file: Path) -> None:
    values = tomllib.loads(file.read_text())
    assert list(_mistakes(values, schema(), schema())) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("regio", "eu-central-1"), ("region", 1), ("region", "eu-central-9"), ("jobs", [{"name": "pulse"}])],
)
def test_the_schema_finds(key: str, value: Any) -> None:
    values = tomllib.loads((PROJECT.environments / "basic.toml").read_text())
    assert list(_mistakes(values | {key: value}, schema(), schema()))


def test_an_environment_file_names_the_schema() -> None:
    for file in PROJECT.environments.glob("*.toml"):
        directive, _, path = file.read_text().splitlines()[0].partition(" ")
        assert (directive, (file.parent / path).resolve()) == ("#:schema", ROOT / "docs" / "environment.schema.json")


def test_every_key_is_described() -> None:
    sections = [schema(), *schema()["$defs"].values()]
    assert [key for each in sections for key, of in each["properties"].items() if not of.get("description")] == []
    assert schema()["properties"].keys() == EnvironmentSettings.model_fields.keys() - {"name"}


def test_snapshots_hold_every_stack_and_no_hash(assembly: Path) -> None:
    files = snapshots(assembly)
    for name, settings in ENVIRONMENTS.items():
        delivery = {f"{name}-delivery-Roles.json"} if settings.delivery else set()
        assert {f"{name}-Network.json", f"{name}-Database.json", f"{name}-Jobs.json"} | delivery <= files.keys()
    assert {"function-code.json", "architecture.svg", "access.md"} <= files.keys()
    assert "aws:cdk:path" not in "".join(files.values())
    assert "The environment local" in files["architecture.svg"]


def test_without_environments_there_are_no_snapshots(tmp_path: Path) -> None:
    assert snapshots(tmp_path) == {}


def _mistakes(value: Any, of: dict[str, Any], whole: dict[str, Any]) -> Iterator[str]:
    """What of JSON Schema the generated one uses: no validator of it is installed."""
    if "$ref" in of:
        of = whole["$defs"][of["$ref"].rpartition("/")[2]]
    if "oneOf" in of:
        fitting = [each for each in of["oneOf"] if not list(_mistakes(value, each, whole))]
        yield from [] if len(fitting) == 1 else [f"{value}: fits {len(fitting)} of {len(of['oneOf'])}"]
        return
    if type(value) is not TYPES[of["type"]]:
        yield f"{value}: no {of['type']}"
    elif isinstance(value, dict):
        yield from (f"{key} is missing" for key in of.get("required", ()) if key not in value)
        for key, each in value.items():
            if key in of.get("properties", {}):
                yield from _mistakes(each, of["properties"][key], whole)
            elif of["additionalProperties"] is False:
                yield f"{key} is unknown"
    elif isinstance(value, list):
        for each in value:
            yield from _mistakes(each, of["items"], whole)
    elif value not in of.get("enum", [value]):
        yield f"{value}: none of {of['enum']}"
