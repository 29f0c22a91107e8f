"""A job gets its parameters as its own dataclass, built from PARAMETERS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, Optional

import pytest

from mysql_jobs.configuration import ConfigurationError
from mysql_jobs.parameters import read_parameters


@dataclass(frozen=True, kw_only=True)
class Table:
    """A dataclass within another."""

    table: str
    retention_days: int = 30

    def __post_init__(self) -> None:
        if self.retention_days < 1:
            raise ValueError("write 1 or more")


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """One field of each kind."""

    batch_rows: int = 1000
    pause_seconds: float = 0.5
    archive: bool = False
    mode: Literal["keep", "drop"] = "keep"
    tables: tuple[Table, ...] = ()
    limits: tuple[tuple[int, ...], ...] = ()
    first: Table | None = None
    last: None | Table = None  # noqa: RUF036 - in this order, too
    note: str | None = None


@pytest.fixture
def job() -> ModuleType:
    module = ModuleType("jobs.purge")
    module.Parameters = Parameters  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Parameters()),
        ({"batch_rows": 5}, Parameters(batch_rows=5)),
        ({"pause_seconds": 2}, Parameters(pause_seconds=2.0)),
        ({"archive": True}, Parameters(archive=True)),
        ({"mode": "drop"}, Parameters(mode="drop")),
        ({"tables": [{"table": "a"}]}, Parameters(tables=(Table(table="a"),))),
        ({"limits": [[1, 2], []]}, Parameters(limits=((1, 2), ()))),
        ({"first": {"table": "a", "retention_days": 7}}, Parameters(first=Table(table="a", retention_days=7))),
        ({"last": {"table": "a"}}, Parameters(last=Table(table="a"))),
        ({"note": "hello"}, Parameters(note="hello")),
    ],
)
def test_each_kind_of_parameter_is_built(given: dict[str, Any], expected: Parameters, job: ModuleType) -> None:
    built = read_parameters(job, {"PARAMETERS": json.dumps(given)})
    assert built == expected
    assert type(built.pause_seconds) is float


def test_without_the_variable_the_defaults_hold(job: ModuleType) -> None:
    assert read_parameters(job, {}) == Parameters()


def test_a_job_without_the_class_gets_none() -> None:
    assert read_parameters(ModuleType("jobs.pulse"), {}) is None


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "1", "{", '{"batch_row":1}', '{"tables":[{}]}', '{"tables":[{"table":"a","retention_days":0}]}'],
)
def test_what_does_not_fit_the_class_is_named(text: str, job: ModuleType) -> None:
    with pytest.raises(ConfigurationError, match=r"^PARAMETERS does not fit jobs\.purge\.Parameters: "):
        read_parameters(job, {"PARAMETERS": text})


def test_a_parameter_may_be_written_as_optional() -> None:
    @dataclass(frozen=True, kw_only=True)
    class WithOptional:
        seconds: Optional[float] = None  # noqa: UP045 (as older code has it: a Union, not a UnionType)

    module = ModuleType("jobs.any")
    module.Parameters = WithOptional  # type: ignore[attr-defined]
    seconds = read_parameters(module, {"PARAMETERS": '{"seconds": 2}'}).seconds
    assert (type(seconds), seconds) == (float, 2.0)
