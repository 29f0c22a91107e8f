"""Environment files to settings, or to a list of every mistake in every file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from packages.requirements import PackagesError
from settings.checks import mistakes, provider_mistakes
from settings.environment import DatabaseSettings, EnvironmentSettings, JobSettings, database_model
from settings.job_module import read_job_module
from settings.migrations import migration_mistakes
from settings.placement import placement_mistakes
from settings.project import Project
from settings.spelling import as_key, as_written, did_you_mean
from settings.values import Settings

REMEDIES = {  # by pydantic's name of the mistake: https://docs.pydantic.dev/latest/errors/validation_errors/
    "string_type": "write it in quotes",
    "bool_type": "write true or false, without quotes",
    "int_type": "write a whole number, without quotes",
    "tuple_type": "write an array, in square brackets",
    "dict_type": "write a table",
    "model_type": "write a table",
    "dataclass_type": "write a table",
    "too_short": "write {min_length} or more",
    "too_long": "write {max_length} at most",
    "greater_than_equal": "write {ge} or more",
    "less_than_equal": "write {le} at most",
}


class SettingsError(Exception):
    """One or more environment files are wrong; the message lists every mistake with what to write instead."""


def load_environments(project: Project) -> tuple[EnvironmentSettings, ...]:
    """Return the environments of `project`, one TOML file each, in the order of their names.

    Raises:
        SettingsError: a file or the name of a migration is wrong (all mistakes are listed), or there is no environment.
    """
    if wrong := package_mistakes(project):
        raise SettingsError("\n".join(wrong))  # once, not for each job in each file
    lines = list(migration_mistakes(project.migrations))
    environments = []
    for name in project.environment_names():
        try:
            environments.append(load_environment(project, name))
        except SettingsError as error:
            lines.append(str(error))
    lines += provider_mistakes(environments)
    if lines:
        raise SettingsError("\n".join(lines))
    if not environments:
        raise SettingsError(f"{project.environments} has no environment: write a file like dev.toml")
    return tuple(environments)


def package_mistakes(project: Project) -> list[str]:
    """Return what is wrong with the packages that jobs ask for, and what to do, each mistake once."""
    found = []
    for file in sorted(project.jobs.glob("[!._]*.py")):
        try:
            project.packages(file.stem)
        except PackagesError as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


def load_environment(project: Project, name: str) -> EnvironmentSettings:
    """Return the settings of the environment `name` of `project`.

    Raises:
        SettingsError: the file is wrong; all its mistakes are listed.
    """
    file = project.environments / f"{name}.toml"
    where = f"{file.parent.name}/{file.name}"
    content = _content(file, where)
    lines = []
    if "name" in content:
        lines.append("name: the environment is named for its file: remove the key")
    content["name"] = name
    try:
        settings = EnvironmentSettings.model_validate(content, context=project)
    except ValidationError as error:
        details = [_placed(detail) for detail in error.errors(include_url=False) if not _follows(detail)]
        lines += [_mistake(detail, content, project) for detail in details]
        lines += mistakes(_right_sections(content, details, project), _right_jobs(content, details, project))
    else:
        lines += mistakes(dict(settings), _by_key(enumerate(settings.jobs)))
    lines = [f"{where}: {line}" for line in lines]
    if not lines:
        lines += placement_mistakes(project, name, [job.name for job in settings.jobs])
    if lines:
        raise SettingsError("\n".join(lines))
    return settings


def _content(file: Path, where: str) -> dict[str, Any]:
    if not file.is_file():
        kind = "a link to nothing" if file.is_symlink() else "not a file" if file.exists() else "not there"
        raise SettingsError(f"{where}: is {kind}: write an environment file, or remove it")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))  # some editors begin a file with a BOM
    except OSError as error:
        raise SettingsError(f"{where}: can't be read: {error.strerror}") from error
    except RecursionError as error:
        raise SettingsError(f"{where}: not TOML: nested too deeply") from error
    except ValueError as error:  # of TOML, of UTF-8, or of a number too long for Python
        raise SettingsError(f"{where}: not TOML: {error}") from error
    if long := _too_long(content):
        raise SettingsError(f"{where}: not TOML: {long:#x} has more than 64 bits")
    return content


def _too_long(value: object) -> int | None:
    """Return a whole number in `value` that TOML has no room for, if there is one."""
    match value:
        case int():
            return value if value.bit_length() > 63 else None
        case dict():
            return next((long for each in value.values() if (long := _too_long(each)) is not None), None)
        case list():
            return next((long for each in value if (long := _too_long(each)) is not None), None)
    return None


def _follows(detail: Mapping[str, Any]) -> bool:
    """Return whether it follows from another mistake: pydantic takes a list with invalid entries for too short."""
    return bool(detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"])


def _placed(detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mistake with the keys of its place alone: pydantic also says there which of two models it tried."""
    match detail["loc"]:
        case ("database", _tag, *below):
            return {**detail, "loc": ("database", *below)}
    return dict(detail)


def _right_sections(
    content: Mapping[str, Any], details: Iterable[Mapping[str, Any]], project: Project
) -> dict[str, Any]:
    """Return the valid fields of the environment, to be checked against each other."""
    wrong = {detail["loc"][0] for detail in details}
    return {
        name: TypeAdapter(field.rebuild_annotation()).validate_python(content[name], context=project)
        if name in content
        else field.default
        for name, field in EnvironmentSettings.model_fields.items()
        if name not in wrong
    }


def _right_jobs(
    content: Mapping[str, Any], details: Iterable[Mapping[str, Any]], project: Project
) -> dict[str, JobSettings]:
    """Return the valid jobs, by their keys."""
    wrong = {detail["loc"][1:2] for detail in details if detail["loc"][0] == "jobs"}
    if () in wrong:  # no list at all
        return {}
    right = [(number, entry) for number, entry in enumerate(content.get("jobs", ())) if (number,) not in wrong]
    return _by_key((number, JobSettings.model_validate(entry, context=project)) for number, entry in right)


def _by_key(jobs: Iterable[tuple[int, JobSettings]]) -> dict[str, JobSettings]:
    return {f"jobs[{number}] ({job.name})": job for number, job in jobs}


def _mistake(detail: Mapping[str, Any], content: Mapping[str, Any], project: Project) -> str:
    place, value = detail["loc"], detail["input"]
    key = _key(place, content)
    match detail["type"]:
        case "missing":
            return f"{key}: missing: add it"
        case "extra_forbidden" if _makes_a_database(place, content):
            return f"{key}: it is for a database that is made, and existing names one that is there: remove it"
        case "extra_forbidden" | "unexpected_keyword_argument":
            known = _keys_at(place[:-1], content, project)
            return f"{key}: there is no such key: {did_you_mean(place[-1], known, otherwise=_one_of(known))}"
        case "value_error":
            reason = str(detail["ctx"]["error"])
        case "literal_error":
            reason = _other_literal(value, detail["ctx"]["expected"])
        case kind:
            reason = REMEDIES.get(kind, str(detail["msg"])).format(**detail.get("ctx", {}))
    # A check of a whole table quotes the values itself.
    return f"{key}: {reason}" if isinstance(value, Mapping) else f"{key} = {as_written(value)}: {reason}"


def _makes_a_database(place: Sequence[str | int], content: Mapping[str, Any]) -> bool:
    made = database_model(content.get("database")) is DatabaseSettings
    return not made and len(place) == 2 and place[0] == "database" and place[1] in DatabaseSettings.model_fields


def _key(place: Sequence[str | int], content: Mapping[str, Any]) -> str:
    """Return how a message names what is at `place`: database.multi_az, jobs[2] (purge_expired).schedule."""
    match place:
        case ("name",):
            return "the file's name"
        case ("jobs", int(number), *below):
            # The name itself is in the message anyway, and may be wrong.
            name = "" if below == ["name"] else _name(content["jobs"][number])
            return f"jobs[{number}]{name}{_path(below)}"
    return _path(place).removeprefix(".")


def _name(entry: object) -> str:
    match entry:
        case {"name": str(name)} if name.isidentifier():
            return f" ({name})"
    return ""


def _path(place: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{as_key(part)}" for part in place)


def _other_literal(value: object, expected: str) -> str:
    """Return what to write instead of `value`; `expected` is pydantic's: "'off', 'standard' or 'advanced'"."""
    known = [quoted or number for quoted, number in re.findall(r"'([^']*)'|(-?\d+)", expected)]
    return did_you_mean(str(value), known, otherwise=_one_of(known)) if isinstance(value, str) else _one_of(known)


def _one_of(words: Sequence[str]) -> str:
    return f"write one of {', '.join(words)}"


def _keys_at(place: Sequence[str | int], content: Mapping[str, Any], project: Project) -> list[str]:
    """Return the keys that the table at `place` of an environment file may have."""
    kind: Any = EnvironmentSettings
    match place:
        case ["jobs", int(number), "parameters", *place]:
            job = content["jobs"][number]
            kind = read_job_module(project.job_file(job.get("module", job["name"]))).parameters
        case ["database", *place]:
            kind = database_model(content["database"])
    for part in place:
        kind = _fields(kind)[part] if isinstance(part, str) else get_args(kind)[0]
        if NoneType in get_args(kind):
            [kind] = set(get_args(kind)) - {NoneType}
    return [name for name in _fields(kind) if (kind, name) != (EnvironmentSettings, "name")]


def _fields(kind: Any) -> dict[str, Any]:
    if issubclass(kind, Settings):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return get_type_hints(kind)
