"""What a job uses besides its database: AWS services, secrets and the internet, as its module states it in USES."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from settings.secret_text import secret_by_value
from settings.services import GATEWAYS, SECRETS, SERVICES
from settings.spelling import did_you_mean

Grants = Mapping[str, Mapping[str, frozenset[str]]]
"""By the service, and by what of it, the actions: {"s3": {"my-exports/rollup/*": {"PutObject"}}}."""

EXAMPLE = '{"s3": {"my-exports/rollup/*": ("PutObject",)}}'
ACTION = r"[A-Z][A-Za-z0-9]+"
"""Without a service in front, and without *: a right that nobody has read is nobody's decision."""
RESOURCE = r"[\w+=,.@:/*#!~()%-]{1,1000}"
"""Without $, as in ${aws:username}, and without ?: both stand for something else in a policy."""
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
SECRET = r"[A-Za-z0-9/_+=.@-]{1,512}"  # noqa: S105 (what its name may be)
"""https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html"""
LOGINS = re.compile("-mysql-jobs/")
"""In the names of the secrets that other jobs log in with: names.job_secrets."""
HOST = r"(?=.{1,253}:)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+"
SMTP = 25
"""Lambda lets nothing out to it.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html"""
LARGEST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class Uses:
    """What one job uses, with its parameters."""

    services: Grants = field(default_factory=dict)
    """Actions on resources of AWS services. A resource is what stands in its ARN after the account, as in
    identity/example.com, or a whole ARN."""
    secrets: frozenset[str] = frozenset()
    """Names of secrets in Secrets Manager."""
    internet: frozenset[tuple[str, int]] = frozenset()
    """Hosts outside of AWS, and ports."""

    def __bool__(self) -> bool:
        """Whether the job uses anything."""
        return bool(self.services or self.secrets or self.internet)

    @property
    def ways(self) -> frozenset[str]:
        """The ways out of the network that it needs, each a security group of its own: s3, email, secretsmanager, 443.

        An AWS service is called by its endpoint, the internet by the port.
        """
        endpoints = {SERVICES[service].endpoint for service in self.services} - {None}
        return frozenset({*filter(None, endpoints), *self.ports, *({SECRETS} if self.secrets else ())})

    @property
    def ports(self) -> frozenset[str]:
        """The ports of the hosts of the internet."""
        return frozenset(str(port) for _host, port in self.internet)

    @property
    def destinations(self) -> list[str]:
        """The hosts of the internet with their ports, as USES has them: api.billing.example:443."""
        return [f"{host}:{port}" for host, port in sorted(self.internet)]


def interfaces(all_uses: Iterable[Uses]) -> set[str]:
    """Return the interface endpoints that they need in a network that is made, beside that of the secrets."""
    endpoints = {SERVICES[service].endpoint for uses in all_uses for service in uses.services}
    return {each for each in endpoints if each is not None} - GATEWAYS


def read_uses(stated: object) -> Uses:
    """Return what a module states in USES, or its uses(parameters) returns.

    Raises:
        ValueError: it is something else; the message has every mistake, each with what to write.
    """
    if not isinstance(stated, dict):
        raise ValueError(f"{stated!r}: write a dict like {EXAMPLE}")
    if mistakes := "; ".join(_mistakes(stated)):
        raise ValueError(mistakes)
    kinds = {"secret", "internet"}
    return Uses(
        services={
            service: {resource: frozenset(actions) for resource, actions in resources.items()}
            for service, resources in stated.items()
            if service not in kinds
        },
        secrets=frozenset(stated.get("secret", ())),
        internet=frozenset(map(destination, stated.get("internet", ()))),
    )


def _mistakes(stated: Mapping[object, object]) -> Iterator[str]:
    for kind, what in stated.items():
        if kind == "secret":
            yield from _texts(kind, what, 'secret": ("billing-api",)', _wrong_secret)
        elif kind == "internet":
            yield from _texts(kind, what, 'internet": ("api.example.com:443",)', _wrong_destination)
        elif kind not in SERVICES:
            known = ["secret", "internet", *SERVICES]
            hint = did_you_mean(str(kind).lower(), known, otherwise=f"write one of {', '.join(known)}")
            yield f"{kind!r}: no service of this name is known here: {hint}"
        elif not isinstance(what, dict) or not what:
            yield f"{kind!r} has {what!r}: write a dict of what it uses of it, like {EXAMPLE}"
        else:
            for resource, actions in what.items():
                yield from _wrong_grant(str(kind), resource, actions)


def _texts(kind: str, what: object, example: str, wrong: Callable[[str], str | None]) -> Iterator[str]:
    if not (isinstance(what, tuple) and what and all(isinstance(each, str) for each in what)):
        # Not as it is: where a tuple lacks its comma, a secret's name is a text, and its letters would be names.
        yield f'"{kind}" has a {type(what).__name__}: write a tuple of texts, like {{"{example}}}'
        return
    for each in what:
        if mistake := wrong(each):
            yield f'"{kind}": {mistake}'


def _wrong_secret(name: str) -> str | None:
    # What it holds in place of its name would be in every template: it is not repeated here either.
    if secret_by_value("secret", name) or not re.fullmatch(SECRET, name):
        return "that is no name of a secret: write the one that it has in Secrets Manager, like billing-api"
    if LOGINS.search(name):
        return f"{name} is what a job logs in to the database with: no job may read another's; remove it"
    return None


def _wrong_destination(text: str) -> str | None:
    host, _, port = text.rpartition(":")
    if not re.fullmatch(f"{HOST}:[0-9]{{1,5}}", text) or not 0 < int(port) <= LARGEST_PORT:
        return f"{text!r}: write a host in small letters and a port, like api.example.com:443"
    if int(port) == SMTP:
        return f"{text}: Lambda lets nothing out to port 25: write {host}:587 or :465, where the mail server has one"
    return None


def destination(text: str) -> tuple[str, int]:
    """Return the host and the port of `text`, as USES has them."""
    host, _, port = text.rpartition(":")
    return host, int(port)


def _wrong_grant(service: str, resource: object, actions: object) -> Iterator[str]:
    if wrong := _wrong_resource(service, resource):
        yield f'"{service}": {resource!r}: {wrong}'
    if not (isinstance(actions, tuple) and actions and all(isinstance(each, str) for each in actions)):
        yield f'"{service}": {resource!r} has {actions!r}: write a tuple of actions, like ("PutObject",)'
        return
    for action in actions:
        if not re.fullmatch(ACTION, action):
            yield (
                f'"{service}": {resource!r} has the action {action!r}: write it as in {SERVICES[service].prefix}:'
                "PutObject, without what stands before the colon, and each by its name, as * allows what nobody read"
            )


def _wrong_resource(service: str, resource: object) -> str | None:
    if (
        not isinstance(resource, str)
        or not re.fullmatch(r"[\x21-\x7e]{1,1000}", resource)
        or re.search("[$?]", resource)
    ):
        return "write what stands in its ARN after the account, or a whole ARN"
    if resource.startswith("arn:"):
        prefix = SERVICES[service].prefix
        if not re.fullmatch(rf"arn:aws[a-z-]*:{prefix}:[a-z0-9-]*:[0-9]*:[^*].*", resource):
            return f"write an ARN of this service, which begins with arn:aws:{prefix}:"
        return None
    if service == "s3" and not re.fullmatch(f"{BUCKET}(/.+)?", resource):
        return "write a bucket's whole name, or bucket/key, where the key may end with *"
    if resource.startswith("*"):
        return "name what the job uses: with * in front it would be everything of this kind"
    return None
