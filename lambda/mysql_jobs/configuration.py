"""The function's configuration, read from its environment variables and checked before anything is done."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, NamedTuple

from mysql_jobs.table_name import is_schema, is_table

CODE = os.path.dirname(os.path.dirname(__file__))
"""The function's zip, unpacked."""
CERTIFICATES = os.path.join(CODE, "mysql_jobs", "certificates")
RIGHTS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
"""The privileges that the jobs' user may have: it changes rows, never tables."""


class ConfigurationError(Exception):
    """An environment variable is missing or malformed; the message names it and says what to write."""


class Login(NamedTuple):
    """A database user and how it authenticates."""

    user: str
    auth: Literal["iam", "secret"]
    secret: str
    """ARN of the Secrets Manager secret with the password; empty for `iam`."""


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


def read_login(variables: Mapping[str, str], prefix: str = "DATABASE") -> Login:
    """Return the login that <prefix>_USER, <prefix>_AUTH and, for `secret`, <prefix>_SECRET describe.

    Raises:
        ConfigurationError: a variable is missing or malformed.
    """
    user = _identifier(variables, f"{prefix}_USER")
    match _text(variables, f"{prefix}_AUTH", "iam or secret"):
        case "iam":
            return Login(user=user, auth="iam", secret="")
        case "secret":
            secret = _text(variables, f"{prefix}_SECRET", "the ARN of the secret that holds the password")
            return Login(user=user, auth="secret", secret=secret)
        case other:
            raise ConfigurationError(f"{prefix}_AUTH is {other!r}: write iam or secret")


def read_job(variables: Mapping[str, str]) -> str:
    """Return the name of the job that this function runs, from JOB.

    Raises:
        ConfigurationError: JOB is missing or not the name of a module.
    """
    return _identifier(variables, "JOB")


def read_max_window(variables: Mapping[str, str]) -> timedelta:
    """Return the longest window that one run may cover, from MAX_WINDOW_MINUTES.

    Raises:
        ConfigurationError: MAX_WINDOW_MINUTES is missing or not a whole number from 1.
    """
    return timedelta(minutes=_count(variables, "MAX_WINDOW_MINUTES", "a number of minutes"))


def read_rights(variables: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Return, per table, the rights that all jobs of the environment need, from RIGHTS, or from the file that it names.

    Raises:
        ConfigurationError: it is missing, or is not JSON like {"event": "INSERT, SELECT"}.
    """
    text = _text(variables, "RIGHTS", 'the rights per table, like {"event": "INSERT, SELECT"}')
    if text.endswith(".json"):
        file = os.path.join(CODE, text)
        if not os.path.isfile(file):
            raise ConfigurationError(f"RIGHTS is {text!r}, and there is no such file in the zip: deploy again")
        with open(file, encoding="utf-8") as opened:
            text = opened.read()
    try:
        rights = {table: frozenset(wanted.split(", ")) for table, wanted in json.loads(text).items()}
    except (ValueError, AttributeError) as error:
        raise ConfigurationError(f'RIGHTS is {text!r}: write JSON like {{"event": "INSERT, SELECT"}}') from error
    for table, wanted in rights.items():
        if not is_table(table):
            raise ConfigurationError(f"RIGHTS has {table!r}: write the name of a table, or schema.table")
        if not wanted <= RIGHTS:
            raise ConfigurationError(f"RIGHTS[{table!r}] has {sorted(wanted)}: write some of {sorted(RIGHTS)}")
    return rights


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
