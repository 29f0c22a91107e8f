"""What the deployment tells the function in its environment variables, checked before anything is done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CERTIFICATES = Path(__file__).parent / "certificates"


class ConfigurationError(Exception):
    """An environment variable is missing or malformed; the message names it and says what to write."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """A database user and how it proves who it is."""

    user: str
    auth: Literal["iam", "secret"]
    secret: str
    """ARN of the Secrets Manager secret with the password; empty for `iam`."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """Where the database is and which certificate authorities may vouch for it."""

    host: str
    port: int
    name: str
    endpoint: Literal["instance", "proxy"]
    """Whether `host` is the server itself or an RDS Proxy before it."""
    region: str
    certificates: Path


def read_database(variables: Mapping[str, str]) -> Database:
    """The database that DATABASE_HOST, _PORT, _NAME, _ENDPOINT (instance or proxy) and AWS_REGION describe.

    DATABASE_CERTIFICATES, a PEM file, takes the place of the region's certificate authorities (used off AWS).

    Raises:
        ConfigurationError: a variable is missing or malformed, or there is no such file.
    """
    region = _text(variables, "AWS_REGION", "the region, like eu-central-1 (Lambda sets it)")
    certificates = Path(variables.get("DATABASE_CERTIFICATES") or CERTIFICATES / f"{region}.pem")
    if not certificates.is_file():
        raise ConfigurationError(
            f"no certificate authorities for AWS_REGION {region!r}: {certificates} does not exist; "
            "write the region's code, or a PEM file in DATABASE_CERTIFICATES"
        )
    return Database(
        host=_text(variables, "DATABASE_HOST", "the endpoint's host name"),
        port=_port(variables, "DATABASE_PORT"),
        name=_identifier(variables, "DATABASE_NAME"),
        endpoint=_endpoint(variables, "DATABASE_ENDPOINT"),
        region=region,
        certificates=certificates,
    )


def read_login(variables: Mapping[str, str], prefix: str = "DATABASE") -> Login:
    """The login that <prefix>_USER, <prefix>_AUTH and, for `secret`, <prefix>_SECRET describe.

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
    """The name of the job that this function runs, from JOB.

    Raises:
        ConfigurationError: JOB is missing or not the name of a module.
    """
    return _identifier(variables, "JOB")


def read_jobs(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The names of all jobs of the environment, from JOBS, separated by commas.

    Raises:
        ConfigurationError: JOBS is missing, or one of the names is not the name of a module.
    """
    names = _text(variables, "JOBS", "the jobs' names, separated by commas").split(",")
    return tuple(_identifier({"JOBS": name}, "JOBS") for name in names)


def _text(variables: Mapping[str, str], name: str, what: str) -> str:
    value = variables.get(name, "").strip()
    if not value:
        raise ConfigurationError(f"environment variable {name} is missing: write {what}")
    return value


def _identifier(variables: Mapping[str, str], name: str) -> str:
    value = _text(variables, name, "a name of small letters, digits and underscores")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", value):
        raise ConfigurationError(
            f"{name} is {value!r}: write at most 32 small letters, digits and underscores, a letter first"
        )
    return value


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
