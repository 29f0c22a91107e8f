"""What `make diff` says of [[database.clients]], by the templates of an environment with and without them."""

from collections.abc import Callable

import pytest

from documents.synthesis import synthesize as synthesize_project
from review.judgement import dangers
from review.templates import SynthesizedEnvironment, read_environments
from tests.fixture import PROJECT, FilesIn

BASIC = (PROJECT.environments / "basic.toml").read_text().partition("[[jobs]]")[0]
SHOP = ('security_group = "sg-0123456789abcdef0"', "The shop")
PEOPLE = ('prefix_list = "pl-0123456789abcdef0"', "People: bastion hosts")
FLOOR = ('cidr = "10.200.4.0/24"', "Reports")
OFFICE = ('cidr = "10.200.0.0/16"', "Reports")

Synthesize = Callable[..., SynthesizedEnvironment]


@pytest.fixture(scope="module")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """The environment basic with these clients, each with its reason; made once each."""
    made: dict[str, SynthesizedEnvironment] = {}

    def synthesize(*clients: tuple[str, str], port: int = 13306) -> SynthesizedEnvironment:
        text = BASIC.replace("multi_az", f"port = {port}\nmulti_az")
        text += "".join(f'[[database.clients]]\n{who}\nconnections = 2\nreason = "{why}"\n' for who, why in clients)
        if text not in made:
            folder = tmp_path_factory.mktemp("clients")
            (folder / "basic.toml").write_text(text)
            app = synthesize_project(FilesIn(folder), folder / "cdk.out", validated=False)
            made[text] = read_environments(app)["basic"]
        return made[text]

    return synthesize


@pytest.mark.parametrize("client", [SHOP, PEOPLE, FLOOR])
def test_a_client_that_is_added_is_named_with_its_port_and_nothing_else_is_asked(
    client: tuple[str, str], synthesize: Synthesize
) -> None:
    who = client[0].partition('"')[2].strip('"')
    [danger] = dangers(synthesize(), synthesize(client))
    assert (danger.kind, danger.resource) == ("access", "Database/SecurityGroup")
    assert danger.text == f"lets `{who}` in, on tcp `13306`"


def test_a_client_with_a_wider_network_is_asked_about_and_with_a_narrower_one_not(synthesize: Synthesize) -> None:
    [danger] = dangers(synthesize(FLOOR), synthesize(OFFICE))
    assert danger.text == "lets `10.200.0.0/16` in, on tcp `13306`"
    assert dangers(synthesize(OFFICE), synthesize(FLOOR)) == []


def test_clients_that_go_or_change_their_places_or_their_reasons_need_no_yes(synthesize: Synthesize) -> None:
    before = synthesize(SHOP, PEOPLE)
    for after in (synthesize(), synthesize(PEOPLE, SHOP), synthesize(PEOPLE, (SHOP[0], "The shop, and its cart"))):
        assert dangers(before, after) == []


def test_another_port_of_the_database_is_another_for_its_clients(synthesize: Synthesize) -> None:
    found = [each.text for each in dangers(synthesize(SHOP), synthesize(SHOP, port=14306)) if each.kind == "access"]
    assert "lets `sg-0123456789abcdef0` in, on tcp `14306`" in found
