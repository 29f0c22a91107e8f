"""The keys of an environment file: as a JSON schema that editors complete from, and as a reference in Markdown.

Both come from the settings themselves; what must fit together across keys is in settings/checks.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from settings.environment import EnvironmentSettings

Schema = dict[str, Any]
IDENTITY = "name"
"""The environment's name is its file's, and no key."""


def schema() -> Schema:
    """The JSON schema of an environment file."""
    found: Schema = _plain(EnvironmentSettings.model_json_schema())
    del found["properties"][IDENTITY]
    found["required"].remove(IDENTITY)
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": "An environment of mysql-jobs", **found}


def schema_file() -> str:
    """The JSON schema, as it is written."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def reference() -> str:
    """All keys, a table for each section."""
    whole = schema()
    lines = [
        "# All keys of an environment file",
        "",
        "Generated from the settings by `make docs`. The same as a JSON schema, which editors complete from:",
        "[environment.schema.json](environment.schema.json); the first line of an environment file names it. What must",
        "fit together across keys, `make synth` checks.",
        *_section(whole, whole),
        *_sections_in(whole, whole, prefix=""),
    ]
    return "\n".join((*lines, ""))


def _sections_in(section: Schema, whole: Schema, *, prefix: str) -> Iterator[str]:
    for name, of in section["properties"].items():
        table = f"[[{prefix}{name}]]" if of.get("type") == "array" else f"[{prefix}{name}]"
        for inner in _sections_of(of, whole):
            which, _, text = inner["description"].removeprefix(table).partition(": ")
            yield from ("", f"## `{table}`{which}", "", _sentence(text))
            yield from _section(inner, whole)
            yield from _sections_in(inner, whole, prefix=f"{prefix}{name}.")


def _section(section: Schema, whole: Schema) -> Iterator[str]:
    yield from ("", "| Key | Type | Default | Meaning |", "| --- | --- | --- | --- |")
    for key, of in section["properties"].items():
        if not _sections_of(of, whole):
            default = "required" if key in section.get("required", ()) else _default(of)
            yield f"| `{key}` | {_type(of)} | {default} | {_cell(of.get('description', ''))} |"


def _sections_of(of: Schema, whole: Schema) -> list[Schema]:
    """The section that a key begins, if it does; two of one that describes one thing or another."""
    references = [each.get("$ref") for each in of.get("oneOf", (of, of.get("items", {})))]
    return [whole["$defs"][each.rpartition("/")[2]] for each in references if each]


def _type(of: Schema) -> str:
    if "enum" in of:
        return "one of " + ", ".join(f"`{each}`" for each in of["enum"])
    if of["type"] == "array":
        count = f"{of['minItems']} to {of['maxItems']}" if "minItems" in of else "list"
        return f"{count} of {_type(of['items'])}"
    kind: str = of["type"]
    words = {"object": "table", "boolean": "true or false", "integer": "whole number", "string": "text"}.get(kind, kind)
    if "x-write" in of:
        return f"{words}: {_cell(of['x-write'])}"
    bounds = [f"{word} {of[key]:,}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in of]
    return " ".join((words, *bounds))


def _default(of: Schema) -> str:
    return f"`{json.dumps(of['default'])}`" if of.get("default") not in (None, [], {}) else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _plain(value: Any) -> Any:
    """Without the names that pydantic makes up, and without null, which TOML has not."""
    match value:
        case {"anyOf": [dict(one), {"type": "null"}], **rest}:
            return _plain({**one, **{key: each for key, each in rest.items() if (key, each) != ("default", None)}})
        case dict():
            return {key: _plain(each) for key, each in value.items() if not (key == "title" and isinstance(each, str))}
        case list():
            return [_plain(each) for each in value]
        case _:
            return value
