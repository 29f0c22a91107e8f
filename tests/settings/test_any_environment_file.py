"""Whatever an environment file says, it is right, or its mistakes are listed: never a traceback."""

import json
import tempfile
import tomllib
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from settings.environment import (
    AlarmSettings,
    DatabaseSettings,
    DeliverySettings,
    EnvironmentSettings,
    JobSettings,
    NetworkSettings,
    ProxySettings,
)
from settings.existing_database import ExistingDatabase
from settings.files import SettingsError
from settings.values import Settings
from tests.fixture import VARIANTS, load_file
from tests.settings.test_environment_files import GOOD

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        [
            "10.0.0.0/255.255.240.0",
            "::/20",
            "../x",
            "cron(* * * * ? *)",
            "cron(0 0 29 2 ? 2199)",
            "at(2199-12-31T23:59:59)",
            "at(2026-03-29T02:30:00)",
            "rate(999999 days)",
            "localtime",
            "00:00-00:30",
            "mon:00:00-mon:00:30",
            "sweep",
            "tally",
            "t4g.micro",
            "${Token[TOKEN.1]}",
            "arn:aws:rds:::snapshot:x",
        ]
    ),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        TEXTS,
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 100),
        st.floats(),
        st.sampled_from([date(2026, 1, 1), time(8), datetime(2026, 1, 1, tzinfo=UTC)]),
    ),
    lambda values: st.one_of(st.lists(values, max_size=3), st.dictionaries(TEXTS, values, max_size=3)),
    max_leaves=5,
)
SECTIONS: dict[str, type[Settings]] = {
    "": EnvironmentSettings,
    "network": NetworkSettings,
    "database": DatabaseSettings,
    "database.existing": ExistingDatabase,
    "proxy": ProxySettings,
    "alarms": AlarmSettings,
    "delivery": DeliverySettings,
    "jobs": JobSettings,
}
ADOPTED = (VARIANTS / "adopted.toml").read_text()
GONE = object()
"""Stands for a key that is left out."""


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str, Any]:
    """A section, a key of it, and what it shall be."""
    section = draw(st.sampled_from(sorted(SECTIONS)))
    key = draw(st.one_of(st.sampled_from(sorted(SECTIONS[section].model_fields)), TEXTS))
    return section, key, draw(st.one_of(VALUES, st.just(GONE)))


def toml(value: Any) -> str:
    match value:
        case str():
            # JSON's escapes are TOML's; what JSON leaves as it is, and TOML does not, is the delete character.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{toml(key)} = {toml(each)}' for key, each in value.items())}}}"
    return str(value)


def edited(changes: list[tuple[str, str, Any]], start: str = GOOD) -> str:
    """`start`, with these changes."""
    content = tomllib.loads(start)
    for section, key, value in changes:
        table = content
        for part in filter(None, section.split(".")):
            table = table.setdefault(part, {}) if isinstance(table, dict) else table
        table = table[0] if isinstance(table, list) and table else table
        if not isinstance(table, dict):
            continue  # an earlier change made something else of it
        if value is GONE:
            table.pop(key, None)
        else:
            table[key] = value
    return "\n".join(f"{toml(key)} = {toml(value)}" for key, value in content.items())


def is_right_or_its_mistakes_are_listed(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "basic.toml"
        file.write_bytes(text.encode())
        try:
            load_file(file)
        except SettingsError as error:
            lines = str(error).splitlines()
            assert lines
            assert all(line.startswith(f"{file.parent.name}/basic.toml: ") for line in lines), lines


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([GOOD, ADOPTED]), st.lists(edits(), min_size=1, max_size=4))
def test_any_value_of_any_key_is_right_or_a_mistake(start: str, changes: list[tuple[str, str, Any]]) -> None:
    text = edited(changes, start)
    tomllib.loads(text)
    is_right_or_its_mistakes_are_listed(text)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_text_is_right_or_a_mistake(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 40)))
    put = data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
    is_right_or_its_mistakes_are_listed(GOOD[:start] + put + GOOD[end:])
