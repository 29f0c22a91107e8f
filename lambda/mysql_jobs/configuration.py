"""The function's configuration, read from its environment variables and checked before anything is done."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal, NamedTuple

from mysql_jobs.claim import CatchUp, Terms
from mysql_jobs.table_name import is_schema, is_table
from mysql_jobs.timetable import Timetable

CODE = os.path.dirname(os.path.dirname(__file__))
"""The function's zip, unpacked."""
CERTIFICATES = os.path.join(CODE, "mysql_jobs", "certificates")
RIGHTS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
"""The privileges that a job's user may have: it changes rows, never tables."""
OWN_RIGHTS: Mapping[str, frozenset[str]] = {"ledger": RIGHTS}
"""What every run needs: it records itself, goes on from a checkpoint, and deletes old records."""
OWN_TABLES = ("ledger", "watched")
WATCHED_EXAMPLE = (
    '{"archive": {"schedule": "rate(1 hour)", "time_zone": "UTC", "allowance_seconds": 1860, "silence_seconds": 5460,'
    ' "max_window_seconds": 86400}}'
)
EXAMPLE = '{"archive": {"user": "job_dev_archive", "connections": 3, "tables": {"event": "INSERT, SELECT"}}}'


class ConfigurationError(Exception):
    """An environment variable is missing or malformed; the message names it and says what to write."""


class Login(NamedTuple):
    """A database user and how it authenticates."""

    user: str
    auth: Literal["iam", "secret"]
    secret: str
    """Name or ARN of the Secrets Manager secret with the password; empty for `iam`."""


class WatchedJob(NamedTuple):
    """What the watcher is told of one job."""

    job: str
    timetable: Timetable
    allowance: timedelta
    """How much later than scheduled a run may be recorded."""
    silence: timedelta
    """How long nothing may be recorded: the longest interval of the schedule, and the allowance."""
    max_window: timedelta | None
    """The longest window of one run; None if one covers all that was missed."""


class JobUser(NamedTuple):
    """The database user of one job, or of the watcher."""

    job: str
    login: Login
    connections: int
    """How many it may have at once; 0 for no limit."""
    rights: Mapping[str, frozenset[str]]
    """Per table."""
    own: Mapping[str, frozenset[str]]
    """Per table of the engine's own."""


class Database(NamedTuple):
    """The address of the database, and the certificate authorities that its certificate is verified with."""

    host: str
    port: int
    name: str
    endpoint: Literal["instance", "proxy"]
    """Whether `host` is the server itself or an RDS Proxy in front of it."""
    region: str
    certificates: str
    """A PEM file."""


def read_database(variables: Mapping[str, str]) -> Database:
    """Return the database that DATABASE_HOST, _PORT, _NAME, _ENDPOINT (instance or proxy) and AWS_REGION describe.

    With an OWN_SCHEMA of the engine's, DATABASE_NAME is any name that MySQL may have.
    DATABASE_CERTIFICATES, a PEM file, replaces the region's certificate authorities (used outside of AWS).

    Raises:
        ConfigurationError: a variable is missing or malformed, or there is no such file.
    """
    region = _text(variables, "AWS_REGION", "the region, like eu-central-1 (Lambda sets it)")
    certificates = variables.get("DATABASE_CERTIFICATES") or os.path.join(CERTIFICATES, f"{region}.pem")
    if not os.path.isfile(certificates):
        raise ConfigurationError(
            f"no certificate authorities for AWS_REGION {region!r}: {certificates} does not exist; "
            "write the region's code, or a PEM file in DATABASE_CERTIFICATES"
        )
    return Database(
        host=_text(variables, "DATABASE_HOST", "the endpoint's host name"),
        port=_port(variables, "DATABASE_PORT"),
        name=_schema(variables),
        endpoint=_endpoint(variables, "DATABASE_ENDPOINT"),
        region=region,
        certificates=certificates,
    )


def read_own_schema(variables: Mapping[str, str]) -> str:
    """Return the schema of the engine's own tables, from OWN_SCHEMA; without it they are beside the jobs' tables.

    Where a database was there before, its schema is another application's, and gets nothing of the engine's.

    Raises:
        ConfigurationError: it is malformed.
    """
    return _identifier(variables, "OWN_SCHEMA" if "OWN_SCHEMA" in variables else "DATABASE_NAME")


def read_origin(variables: Mapping[str, str]) -> Literal["made", "existing"]:
    """Return whether the database was there before the environment, from DATABASE_ORIGIN; made with it, if not said.

    Raises:
        ConfigurationError: it is malformed.
    """
    match variables.get("DATABASE_ORIGIN", "made"):
        case "made":
            return "made"
        case "existing":
            return "existing"
        case other:
            raise ConfigurationError(f"DATABASE_ORIGIN is {other!r}: write made or existing")


def read_connections_needed(variables: Mapping[str, str]) -> int | None:
    """Return how many connections the environment opens at most, from CONNECTIONS_NEEDED; None if it is not said.

    Raises:
        ConfigurationError: it is no whole number from 1.
    """
    if "CONNECTIONS_NEEDED" not in variables:
        return None
    return _count(variables, "CONNECTIONS_NEEDED", "a number of connections")


def read_login(variables: Mapping[str, str]) -> Login:
    """Return the login that DATABASE_USER, _AUTH and, for `secret`, _SECRET describe.

    Raises:
        ConfigurationError: a variable is missing or malformed.
    """
    user = _user("DATABASE_USER", _text(variables, "DATABASE_USER", "the name of a database user"))
    auth = _auth(variables, "DATABASE_AUTH")
    secret = _text(variables, "DATABASE_SECRET", "the secret that holds the password") if auth == "secret" else ""
    return Login(user=user, auth=auth, secret=secret)


def read_job(variables: Mapping[str, str]) -> str:
    """Return the name of the job that this function runs, from JOB.

    Raises:
        ConfigurationError: JOB is missing or not the name of a module.
    """
    return _identifier(variables, "JOB")


def read_module(variables: Mapping[str, str]) -> str:
    """Return the module in jobs/ that this function runs, from MODULE; without it, it is the job's name.

    Raises:
        ConfigurationError: it is not the name of a module.
    """
    return _identifier(variables, "MODULE" if "MODULE" in variables else "JOB")


def read_terms(variables: Mapping[str, str]) -> Terms:
    """Return what MAX_WINDOW_MINUTES, CATCH_UP, SCHEDULE and TIME_ZONE say of the job's windows.

    Without CATCH_UP, all that was missed is caught up. Without SCHEDULE, no scheduled time is known but a run's own.

    Raises:
        ConfigurationError: a variable is missing or malformed.
    """
    return Terms(
        max_window=timedelta(minutes=_count(variables, "MAX_WINDOW_MINUTES", "a number of minutes")),
        catch_up=_catch_up(variables.get("CATCH_UP", "all")),
        times=read_timetable(variables),
    )


def read_timetable(variables: Mapping[str, str]) -> Timetable:
    """Return the job's schedule, from SCHEDULE and TIME_ZONE, which is UTC if it is not said."""
    return Timetable(expression=variables.get("SCHEDULE", ""), time_zone=variables.get("TIME_ZONE", "UTC"))


def read_max_hours(variables: Mapping[str, str]) -> timedelta:
    """Return for how long the runs for a scheduled time may follow each other at once, from MAX_HOURS: 24 if not said.

    Raises:
        ConfigurationError: it is no whole number from 1.
    """
    return timedelta(hours=_count({"MAX_HOURS": "24", **variables}, "MAX_HOURS", "a number of hours"))


def read_watched(variables: Mapping[str, str]) -> list[WatchedJob]:
    """Return the jobs that the watcher looks after, from WATCHED, or from the file that it names.

    Raises:
        ConfigurationError: it is missing or malformed.
    """
    try:
        return [
            WatchedJob(
                job=job,
                timetable=Timetable(expression=told["schedule"], time_zone=told["time_zone"]),
                allowance=timedelta(seconds=told["allowance_seconds"]),
                silence=timedelta(seconds=told["silence_seconds"]),
                max_window=timedelta(seconds=told["max_window_seconds"]) if "max_window_seconds" in told else None,
            )
            for job, told in _told(variables, "WATCHED", "the jobs to look after", WATCHED_EXAMPLE).items()
        ]
    except (KeyError, TypeError) as error:
        raise ConfigurationError(f"WATCHED is malformed ({error!r}): write JSON like {WATCHED_EXAMPLE}") from error


def read_job_users(variables: Mapping[str, str]) -> list[JobUser]:
    """Return the database user of each job of the environment, from RIGHTS, or from the file that it names.

    JOBS_AUTH says how they log in, and, for `secret`, JOBS_SECRETS what the names of their secrets begin with.

    Raises:
        ConfigurationError: a variable is missing or malformed.
    """
    auth = _auth(variables, "JOBS_AUTH")
    secrets = _text(variables, "JOBS_SECRETS", "how the names of the jobs' secrets begin") if auth == "secret" else ""
    try:
        return [
            JobUser(
                job=job,
                login=Login(user=_user("RIGHTS", told["user"]), auth=auth, secret=secrets + job if secrets else ""),
                connections=_connections(told["connections"]),
                rights=_rights(job, told["tables"]),
                own=_own_rights(job, told["own"]) if "own" in told else OWN_RIGHTS,
            )
            for job, told in _told(variables, "RIGHTS", "the jobs' users", EXAMPLE).items()
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise ConfigurationError(f"RIGHTS is malformed ({error!r}): write JSON like {EXAMPLE}") from error


def _told(variables: Mapping[str, str], name: str, what: str, example: str) -> dict[str, Any]:
    """Return the JSON object in the variable `name`, or in the file of the zip that it names."""
    text = _text(variables, name, f"{what}, like {example}")
    if text.endswith(".json"):
        file = os.path.join(CODE, text)
        if not os.path.isfile(file):
            raise ConfigurationError(f"{name} is {text!r}, and there is no such file in the zip: deploy again")
        with open(file, encoding="utf-8") as opened:
            text = opened.read()
    try:
        told = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"{name} is {text!r}: write JSON like {example}") from error
    if not isinstance(told, dict):
        raise ConfigurationError(f"{name} is {text!r}: write JSON like {example}")
    return told


def _rights(job: str, tables: Mapping[str, str]) -> dict[str, frozenset[str]]:
    rights = {table: frozenset(wanted.split(", ")) for table, wanted in tables.items()}
    for table, wanted in rights.items():
        if not is_table(table):
            raise ConfigurationError(
                f"RIGHTS has {table!r} for the job {job}: write the name of a table, or schema.table"
            )
        if not wanted <= RIGHTS:
            raise ConfigurationError(f"RIGHTS has {sorted(wanted)} for {job}, {table}: write some of {sorted(RIGHTS)}")
    return rights


def _own_rights(job: str, tables: Mapping[str, str]) -> dict[str, frozenset[str]]:
    rights = _rights(job, tables)
    if not rights.keys() <= set(OWN_TABLES):
        raise ConfigurationError(f"RIGHTS has {sorted(rights)} as own tables of {job}: write some of {OWN_TABLES}")
    return rights


def _catch_up(value: str) -> CatchUp:
    match value:
        case "all":
            return "all"
        case "latest":
            return "latest"
        case "none":
            return "none"
        case other:
            raise ConfigurationError(f"CATCH_UP is {other!r}: write all, latest or none")


def _connections(number: object) -> int:
    if not isinstance(number, int) or number < 0:
        raise ConfigurationError(f"RIGHTS has {number!r} connections: write a whole number from 0")
    return number


def _user(name: str, value: str) -> str:
    # https://dev.mysql.com/doc/refman/8.4/en/user-names.html
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", value):
        raise ConfigurationError(
            f"{name} has the user {value!r}: write at most 32 small letters, digits, underscores and hyphens, "
            "a letter first"
        )
    return value


def _auth(variables: Mapping[str, str], name: str) -> Literal["iam", "secret"]:
    match _text(variables, name, "iam or secret"):
        case "iam":
            return "iam"
        case "secret":
            return "secret"
        case other:
            raise ConfigurationError(f"{name} is {other!r}: write iam or secret")


def _schema(variables: Mapping[str, str]) -> str:
    name = _text(variables, "DATABASE_NAME", "the name of the jobs' schema")
    if "OWN_SCHEMA" not in variables:
        return _identifier(variables, "DATABASE_NAME")
    if not is_schema(name):
        raise ConfigurationError(f"DATABASE_NAME is {name!r}: write the name of a schema that is not the server's own")
    return name


def _text(variables: Mapping[str, str], name: str, what: str) -> str:
    value = variables.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"environment variable {name} is missing: write {what}")
    return value


def _identifier(variables: Mapping[str, str], name: str) -> str:
    value = _text(variables, name, "a name of small letters, digits and underscores")
    # GET_LOCK takes names of 64 characters, and "<schema>.<job>" is one.
    # https://dev.mysql.com/doc/refman/8.4/en/locking-functions.html
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", value):
        raise ConfigurationError(
            f"{name} is {value!r}: write at most 31 small letters, digits and underscores, a letter first"
        )
    return value


def _count(variables: Mapping[str, str], name: str, what: str) -> int:
    value = _text(variables, name, what)
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise ConfigurationError(f"{name} is {value!r}: write a whole number from 1")
    return int(value)


def _endpoint(variables: Mapping[str, str], name: str) -> Literal["instance", "proxy"]:
    match _text(variables, name, "instance or proxy"):
        case "instance":
            return "instance"
        case "proxy":
            return "proxy"
        case other:
            raise ConfigurationError(f"{name} is {other!r}: write instance or proxy")


def _port(variables: Mapping[str, str], name: str) -> int:
    value = _text(variables, name, "the port's number")
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        raise ConfigurationError(f"{name} is {value!r}: write a whole number from 1 to 65535")
    return int(value)
