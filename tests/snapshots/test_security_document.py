"""The tables in docs/security.md say what the templates say. `make snapshots` writes them; the prose is by hand."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pytest

from stacks.database_function import NETWORK_INTERFACE_ACTIONS
from stacks.environment_files import load_environments
from stacks.settings import ROOT
from tests.snapshots.access import (
    WILD,
    AccessError,
    Environment,
    collapsed,
)

DOCUMENT = ROOT / "docs" / "security.md"
SECTION = re.compile(r"(?<=<!-- generated: )(\w+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)

Row = tuple[str, ...]

REASONS: Mapping[Row, str] = {
    (", ".join(sorted(NETWORK_INTERFACE_ACTIONS)), f"any resource {WILD}"): (
        "Lambda gives the function an address in the VPC in the role's name, and AWS knows no narrower resource. "
        "The function has no way to EC2's interface; whoever steals its role has."
    ),
    (f"AWS's policy AWSLambdaBasicExecutionRole {WILD}",): (
        "The CDK's own functions may write to any log group, and make one."
    ),
    (f"AWS's policy AmazonRDSEnhancedMonitoringRole {WILD}",): (
        "RDS may write to the log groups named RDS*, which are its own."
    ),
    (f"any version of function migrate {WILD}",): (
        "Each deploy makes a version, and its number is not known before. CloudFormation runs it."
    ),
    (f"any address {WILD}", "443/tcp"): (
        "The VPC is one that was there, with a way to Secrets Manager whose addresses nobody here knows."
    ),
    (f"anyone {WILD}", "secretsmanager:GetSecretValue"): (
        "Whoever the role's own policy lets: both have to agree, and the account has to be this one."
    ),
    ("topic alarms", f"none {WILD}"): (
        "CloudWatch can't publish where AWS's own key encrypts. Alarms hold names and numbers, no data."
    ),
}
"""Why something is wider than one named thing: the cells that tell of it, and the reason."""


@pytest.fixture(scope="module")
def environments(templates: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Environment]:
    """Every environment, read."""
    return {
        each.name: Environment(name=each.name, account=each.account, region=each.region, stacks=templates[each.name])
        for each in load_environments()
    }


def test_the_tables_say_what_the_templates_say(
    environments: dict[str, Environment], request: pytest.FixtureRequest
) -> None:
    written = DOCUMENT.read_text()
    sections = {
        "network": network(environments),
        "identities": identities(environments),
        "secrets": secrets(environments),
    }
    assert {match[1] for match in SECTION.finditer(written)} == set(sections), f"{DOCUMENT}: sections are missing"
    current = SECTION.sub(lambda match: f"{match[1]}{match[2]}{sections[match[1]]}", written)
    if request.config.option.update_snapshots:
        DOCUMENT.write_text(current)
    elif current != written:
        difference = difflib.unified_diff(
            written.splitlines(), current.splitlines(), "docs/security.md", "the templates", lineterm="", n=0
        )
        pytest.fail("\n".join((*difference, "", "Run make snapshots, and review who can reach what.")), pytrace=False)


def test_a_mark_without_a_reason_is_an_error() -> None:
    with pytest.raises(AccessError, match="narrow it"):
        list(_reasons([("function purge", "sqs:SendMessage", f"any resource {WILD}", "", "all")]))


def network(environments: Mapping[str, Environment]) -> str:
    """Who can connect to whom."""
    ways = _rows(environments, Environment.connections)
    members = _rows(environments, Environment.members)
    endpoints = _rows(environments, lambda each: [(name, *grant) for name, grant in each.endpoint_policies()])
    return "\n".join(
        (
            *_table(("From", "To", "Port"), ways),
            *_table(("Security group", "Who is in it"), members),
            *_table(("Endpoint", "Lets", "Do", "On", "Only if"), endpoints),
            *_list(_rows(environments, _facts_of_network)),
            *_reasons((*ways, *members, *endpoints)),
        )
    )


def identities(environments: Mapping[str, Environment]) -> str:
    """Who may do what in AWS."""
    roles = _rows(environments, Environment.roles)
    grants = _rows(environments, Environment.grants)
    policies = _rows(environments, Environment.resource_policies)
    return "\n".join(
        (
            *_list(_rows(environments, _facts_of_jobs)),
            *_table(("Role of", "Assumed by", "Only if"), roles),
            *_table(("Role of", "May", "On", "Only if"), grants),
            *_table(("Others", "May", "On", "Only if"), policies),
            *_reasons((*roles, *grants, *policies)),
        )
    )


def secrets(environments: Mapping[str, Environment]) -> str:
    """Who can read which secret, and what is encrypted with which key."""
    origins = _rows(environments, Environment.origins)
    readers = _rows(environments, Environment.readers)
    at_rest = _rows(environments, Environment.at_rest)
    return "\n".join(
        (
            *_table(("Secret", "Made by", "Rotated"), origins),
            *_table(("Secret", "Read by", "Let through by the endpoint"), readers),
            *_table(("At rest", "Key"), at_rest),
            *_reasons((*origins, *readers, *at_rest)),
        )
    )


def _facts_of_network(environment: Environment) -> Iterator[Row]:
    if environment.has_own_vpc:
        yield ("Nothing leads out of the VPC: no gateway, no NAT, no peering, no route.",)
    else:
        yield (f"The VPC is not made here: its routes say what leads out of it {WILD}.",)
    if environment.empties_default_group:
        yield ("The VPC's default security group is empty.",)
    address = f"a public address {WILD}" if environment.has_public_database else "no public address"
    yield (f"The database has {address}.",)
    yield (f"Outside of the VPC run: {', '.join(environment.outside_of_vpc())}.",)


def _facts_of_jobs(environment: Environment) -> Iterator[Row]:
    if any("`<job>`" in cell for row in collapsed(environment.grants(), environment.jobs) for cell in row):
        yield (f"`<job>` is each of {', '.join(environment.jobs)}: their roles have the same rights, each on its own.",)


def _rows(environments: Mapping[str, Environment], read: Callable[[Environment], Iterable[Row]]) -> list[Row]:
    """What `read` reads of all environments; the last cell says of which."""
    found: dict[Row, list[str]] = {}
    for name, environment in environments.items():
        for row in collapsed(read(environment), environment.jobs):
            found.setdefault(row, []).append(name)
    return [
        (*row, "all" if len(names) == len(environments) else ", ".join(names)) for row, names in sorted(found.items())
    ]


def _table(headings: Row, rows: Iterable[Row]) -> Iterator[str]:
    yield from ("", _line((*headings, "Environments")), _line("---" for _ in (*headings, "Environments")))
    yield from (_line(row) for row in rows)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _list(rows: Iterable[Row]) -> Iterator[str]:
    yield ""
    for text, names in rows:
        yield f"- {text}" if names == "all" else f"- {names}: {text}"


def _reasons(rows: Iterable[Row]) -> Iterator[str]:
    """Why each row that is marked may be so wide.

    Raises:
        AccessError: nobody has said why.
    """
    found: dict[str, None] = {}
    for row in rows:
        if any(WILD in cell for cell in row):
            reasons = [reason for cells, reason in REASONS.items() if set(cells) <= set(row)]
            if not reasons:
                raise AccessError(f"{row}: narrow it, or say in REASONS why it is as wide")
            found |= dict.fromkeys(reasons)
    yield ""
    yield from (f"- {WILD} {reason}" for reason in found)
    yield ""
