"""The environment's file, with the database that was found: a new one, or its [network] and [database] anew."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from adoption.database import Database
from delivery.refusal import Refused
from settings.spelling import as_written

REPLACED = ("network", "database")
"""The tables that are written anew, with those inside them."""


def text_for(found: Database, *, secrets_endpoint: bool) -> str:
    """Return [network], [database] and [database.existing] for what was found, with what was seen in comments.

    `secrets_endpoint` is whether one has to be made, as the VPC has none.
    """
    return "\n".join((*_network(found, secrets_endpoint), "", *_database(found), "", *_existing(found), ""))


def new_file(tables: str, *, account: str, region: str) -> str:
    """Return a whole environment file with these tables; its jobs are still to come."""
    return (
        "#:schema ../docs/environment.schema.json\n"
        f"account = {as_written(account)}\nregion = {as_written(region)}\n\n{tables}"
    )


def with_tables(before: str, tables: str) -> str:
    """Return the file `before` with these tables in the place of its own [network] and [database].

    Raises:
        Refused: it can't be done without touching anything else, so a person has to.
    """
    kept: list[str] = []
    place: int | None = None
    in_replaced = False
    for line in before.splitlines(keepends=True):
        if header := re.match(r"\s*\[+\s*([\w-]+)", line):
            in_replaced = header[1] in REPLACED
            if in_replaced and place is None:
                place = len(kept)
        if not in_replaced:
            kept.append(line)
    place = len(kept) if place is None else place
    after = "".join((*kept[:place], tables, "\n" if kept[place:] else "", *kept[place:]))
    if _read(after) != {**_read(before), **_read(tables)}:
        raise Refused(f"the file is written so that only a person can change it: put these tables into it\n\n{tables}")
    return after


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"the file is not TOML, or would not be any more: {error}") from error


def _network(found: Database, secrets_endpoint: bool) -> Iterator[str]:
    yield "[network]"
    yield f"vpc_id = {as_written(found.vpc)}  # the database's"
    if secrets_endpoint:
        yield "secrets_endpoint = true  # the VPC has none with a private DNS name; a NAT would do as well: then false"
    else:
        yield "secrets_endpoint = false  # the VPC has one"


def _database(found: Database) -> Iterator[str]:
    yield "[database]"
    if found.schema is None:
        yield '# name = "…"  # the schema that the jobs work in: RDS does not know of one'
    else:
        yield f"name = {as_written(found.schema)}  # the schema that was made with it: write another if that is meant"
    if not found.iam:
        yield 'auth = "secret"  # login with IAM is off; if its owner turns that on, remove this line'


def _existing(found: Database) -> Iterator[str]:
    authorities = ", ".join(found.authorities)
    yield f"# {found.engine} {found.version}, {', '.join(found.classes)}, certificates of {authorities}"
    if found.public:
        yield "# It has an address that the internet can reach: that is its owner's decision."
    yield "[database.existing]"
    yield f"identifier = {as_written(found.identifier)}"
    yield f"engine = {as_written(found.engine)}"
    yield f"endpoint = {as_written(found.endpoint)}"
    yield f"port = {found.port}"
    yield f"resource_id = {as_written(found.resource_id)}"
    group, *others = found.security_groups or ("",)
    also = f"  # or one of {', '.join(others)}" if others else ""
    yield f"security_group = {as_written(group)}{also}"
    if found.login is None:
        yield '# login = "…"  # RDS manages no secret: write the ARN of one of yours, JSON with username and password'
    else:
        yield f"login = {as_written(found.login)}  # RDS's own, of its master user"
    if found.login_key is not None:
        yield f"login_key = {as_written(found.login_key)}"
    if found.max_connections is None:
        yield "# max_connections = …  # ask the server: SELECT @@max_connections"
    else:
        yield f"max_connections = {found.max_connections}  # the least by its parameter and class: @@max_connections"
