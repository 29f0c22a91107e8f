"""A job's parameters: its own dataclass, built from the environment file's values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import ModuleType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from mysql_jobs.configuration import ConfigurationError


def read_parameters(job: ModuleType, variables: Mapping[str, str]) -> Any:
    """Return the job's `Parameters` with the values in PARAMETERS, a JSON object; None if the job has no such class.

    The types are not checked: synth has done so.

    Raises:
        ConfigurationError: PARAMETERS does not fit the class.
    """
    if not hasattr(job, "Parameters"):
        return None
    try:
        return _build(job.Parameters, json.loads(variables.get("PARAMETERS", "{}")))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"PARAMETERS does not fit {job.__name__}.Parameters: {error!r}") from error


def _build(kind: Any, value: Any) -> Any:
    """Return `value`, decoded from JSON, as a `kind`."""
    # Not above: it takes 8 ms of a cold start, which jobs without parameters need not wait for.
    from dataclasses import is_dataclass  # noqa: PLC0415

    if get_origin(kind) in (Union, UnionType):
        [kind] = set(get_args(kind)) - {NoneType}
    if is_dataclass(kind):
        kinds = get_type_hints(kind)
        return kind(**{key: _build(kinds[key], each) for key, each in value.items()})  # type: ignore[operator]
    if get_origin(kind) is tuple:
        return tuple(_build(get_args(kind)[0], each) for each in value)
    return float(value) if kind is float else value
