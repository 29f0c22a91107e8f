"""An environment file, validated: typed, frozen settings, or every mistake in the file at once."""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Self, get_args, get_type_hints
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from stacks.job_module import JobModule, Rights, read_job_module
from stacks.job_variables import parameters_variable, rights_variable
from stacks.schedule import read_schedule

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "environments"
JOBS = ROOT / "lambda" / "jobs"
CERTIFICATES = ROOT / "lambda" / "certificates"


class SettingsError(Exception):
    """One or more environment files are wrong; the message lists every mistake with what to write instead."""


def _region(value: str) -> str:
    if not (CERTIFICATES / f"{value}.pem").is_file():
        known = ", ".join(sorted(path.stem for path in CERTIFICATES.glob("*.pem")))
        raise ValueError(f"lambda/certificates has no authorities for this region: write one of {known}")
    return value


def _network(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        raise ValueError(f"{error}: write a network like 10.0.0.0/20") from None
    # https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
    if not (16 <= network.prefixlen <= 24 and network.is_private):
        raise ValueError("write a private network between /16 and /24, like 10.0.0.0/20")
    return value


def _job_module(value: str) -> str:
    file = JOBS / f"{value}.py"
    if not file.is_file():
        there = ", ".join(sorted(path.stem for path in JOBS.glob("[!_]*.py")))
        raise ValueError(f"lambda/jobs/{value}.py does not exist: write the job, or name one of {there}")
    read_job_module(file)
    return value


def _parameters(values: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    if "name" in info.data:  # else there is no job yet that would type them
        module = read_job_module(JOBS / f"{info.data['name']}.py")
        module.read_rights(module.read_parameters(values))
        parameters_variable(values)
    return values


def _schedule(value: str) -> str:
    return read_schedule(value).expression


def _max_window_minutes(value: int | None, info: ValidationInfo) -> int | None:
    if value is not None and "schedule" in info.data:
        interval = read_schedule(info.data["schedule"]).longest_interval // timedelta(minutes=1)
        if value <= interval:
            raise ValueError(f"write more than {interval}, the longest interval, or a catch-up would never end")
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("write a name of the IANA time zone database, like Europe/Berlin")
    return ZoneInfo(value).key


def _like(pattern: str, *, write: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"write {write}")
        return value

    return AfterValidator(check)


# "<schema>.<job>" is the name of a lock, and those have 64 characters at most.
# https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
Identifier = Annotated[
    str, _like(r"[a-z][a-z0-9_]{0,30}", write="small letters, digits and underscores, a letter first, 31 at most")
]


class Settings(BaseModel):
    """Settings don't change, and a key that nobody reads is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NetworkSettings(Settings):
    """[network]: the isolated VPC."""

    cidr: Annotated[str, AfterValidator(_network)]
    zones: Annotated[
        tuple[Annotated[str, _like("[a-z]", write="the zone's letter, like a")], ...],
        Field(min_length=2, max_length=3, strict=False),
    ]
    """Letters of the region's availability zones; RDS needs two."""


class DatabaseSettings(Settings):
    """[database]: the RDS MySQL instance."""

    name: Identifier = "jobs"
    """The schema that the jobs work in."""
    instance_class: Annotated[
        str, _like(r"[a-z0-9-]+\.[a-z0-9]+", write="a class without the leading db., like t4g.small")
    ]
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.html, without "db."."""
    storage_gb: Annotated[int, Field(ge=20, le=65536)] = 20
    max_storage_gb: Annotated[int, Field(ge=20, le=65536)] = 100
    """Storage grows by itself up to here."""
    multi_az: bool
    backup_days: Annotated[int, Field(ge=0, le=35)]
    deletion_protection: bool
    port: Annotated[int, Field(ge=1150, le=65535)] = 13306
    """1150 is the lowest that RDS allows."""
    auth: Literal["iam", "secret"] = "iam"
    """How the jobs log in: with a token of their role, or with a password from Secrets Manager."""

    @model_validator(mode="after")
    def _storage_can_grow(self) -> Self:
        if self.max_storage_gb < self.storage_gb:
            raise ValueError(
                f"max_storage_gb is {self.max_storage_gb}, less than storage_gb: write at least {self.storage_gb}"
            )
        return self


class JobSettings(Settings):
    """[[jobs]]: one scheduled job."""

    name: Annotated[Identifier, AfterValidator(_job_module)]
    """The module in lambda/jobs/."""
    schedule: Annotated[str, AfterValidator(_schedule)]
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    timeout_seconds: Annotated[int, Field(ge=10, le=900)] = 60
    memory_mb: Annotated[int, Field(ge=128, le=10240)] = 256
    max_window_minutes: Annotated[int | None, Field(le=5_256_000), AfterValidator(_max_window_minutes)] = None
    """The longest window that one run covers; see `max_window`."""
    parameters: Annotated[dict[str, Any], AfterValidator(_parameters), Field(validate_default=True)] = {}
    """As in the file; the job's module says what they may be."""

    @model_validator(mode="after")
    def _ends_before_the_next_begins(self) -> Self:
        interval = read_schedule(self.schedule).shortest_interval
        if timedelta(seconds=self.timeout_seconds) >= interval:
            seconds = interval // timedelta(seconds=1)
            raise ValueError(
                f"timeout_seconds is {self.timeout_seconds}, but {self.schedule} starts the next run after "
                f"{seconds} s: write less than {seconds}, or a longer schedule"
            )
        return self

    @cached_property
    def module(self) -> JobModule:
        """What the job's module says."""
        return read_job_module(JOBS / f"{self.name}.py")

    @property
    def rights(self) -> Rights:
        """What the job may do, with its parameters."""
        return self.module.read_rights(self.module.read_parameters(self.parameters))

    @property
    def max_window(self) -> timedelta:
        """The longest window that one run covers: whole minutes, and longer than any interval of the schedule.

        Without max_window_minutes: a day, or twice the longest interval if that is more.
        """
        if self.max_window_minutes is not None:
            return timedelta(minutes=self.max_window_minutes)
        return max(timedelta(days=1), 2 * read_schedule(self.schedule).longest_interval)


class EnvironmentSettings(Settings):
    """A whole environment: everything in which it differs from the others."""

    name: Annotated[str, _like("[a-z][a-z0-9]{0,15}", write="a file name of small letters and digits, 16 at most")]
    """The file's name."""
    account: Annotated[str, _like("[0-9]{12}", write="the account's 12 digits, in quotes")]
    region: Annotated[str, AfterValidator(_region)]
    network: NetworkSettings
    database: DatabaseSettings
    jobs: Annotated[tuple[JobSettings, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _jobs_once_each(self) -> Self:
        names = [job.name for job in self.jobs]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"jobs has more than one entry named {', '.join(twice)}: keep one")
        return self

    @model_validator(mode="after")
    def _rights_fit_a_variable(self) -> Self:
        rights_variable(job.rights for job in self.jobs)
        return self


def load_environments(folder: Path = ENVIRONMENTS) -> tuple[EnvironmentSettings, ...]:
    """The environments in `folder`, one TOML file each, in the order of their names.

    Raises:
        SettingsError: a file is wrong (all mistakes of all files are listed), or there is none.
    """
    mistakes: list[str] = []
    environments = []
    for file in sorted(folder.glob("*.toml")):
        try:
            environments.append(load_environment(file))
        except SettingsError as error:
            mistakes.append(str(error))
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    if not environments:
        raise SettingsError(f"{folder} has no environment: write a file like dev.toml")
    return tuple(environments)


def load_environment(file: Path) -> EnvironmentSettings:
    """The environment that `file` describes; it is named for the file.

    Raises:
        SettingsError: the file is wrong; all its mistakes are listed.
    """
    where = f"{file.parent.name}/{file.name}"
    try:
        content = tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{where}: not TOML: {error}") from error
    if "name" in content:
        raise SettingsError(f"{where}: name: the environment is named for its file: remove the key")
    try:
        return EnvironmentSettings.model_validate({**content, "name": file.stem})
    except ValidationError as error:
        lines = [f"{where}: {_mistake(detail, content)}" for detail in error.errors(include_url=False)]
        raise SettingsError("\n".join(lines)) from None


def _mistake(detail: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    place = detail["loc"]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    match detail["type"]:
        case "missing":
            return f"{key}: missing: add it"
        case "extra_forbidden" | "unexpected_keyword_argument":
            near = difflib.get_close_matches(place[-1], _keys_at(place[:-1], content), n=1)
            what_to_do = f"did you mean {near[0]}?" if near else "remove it or correct its spelling"
            return f"{key}: there is no such key: {what_to_do}"
        case "value_error":
            reason = str(detail["ctx"]["error"])
        case "tuple_type":
            reason = "write an array, in square brackets"
        case "dict_type" | "model_type" | "dataclass_type":
            reason = "write a table"
        case _:
            reason = str(detail["msg"])
    # A check across keys quotes the values itself; its input is the whole table.
    shown = f"{key} = {detail['input']!r}" if not isinstance(detail["input"], Mapping) else key
    return f"{shown}: {reason}".removeprefix(": ")


def _keys_at(place: Sequence[str | int], content: Mapping[str, Any]) -> list[str]:
    """The keys that the table at `place` of an environment file may have."""
    kind: Any = EnvironmentSettings
    match place:
        case ["jobs", int(number), "parameters", *place]:
            kind = read_job_module(JOBS / f"{content['jobs'][number]['name']}.py").parameters
    for part in place:
        kind = _fields(kind)[part] if isinstance(part, str) else get_args(kind)[0]
        if NoneType in get_args(kind):
            [kind] = set(get_args(kind)) - {NoneType}
    return list(_fields(kind))


def _fields(kind: Any) -> dict[str, Any]:
    if issubclass(kind, Settings):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    return get_type_hints(kind)
