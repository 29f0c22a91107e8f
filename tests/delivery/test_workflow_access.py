"""What the workflows are told: which environments this repository delivers to, and the role for a job of theirs."""

import pytest

from delivery.workflow_access import answer_environments, main
from settings.environment import DeliverySettings
from tests.fixture import PROJECT, load

SETTINGS = load("basic").model_copy(update={"delivery": DeliverySettings(repository="octo-org@12/jobs@34")})


def test_a_repository_delivers_where_it_is_named_and_warns_where_another_is() -> None:
    other = DeliverySettings(repository="octo-org/other")
    environments = (
        SETTINGS,
        SETTINGS.model_copy(update={"name": "local", "delivery": None}),
        SETTINGS.model_copy(update={"name": "large", "delivery": other}),
    )
    assert list(answer_environments(environments, "Octo-Org/jobs")) == [
        "::warning file=environments/large.toml::[delivery] names octo-org/other, and this is Octo-Org/jobs: "
        "large is not deployed from here. See docs/delivery.md",
        'environments=["basic"]',
    ]


def test_environments_are_deployed_in_the_order_that_they_state() -> None:
    settings = [
        SETTINGS.model_copy(update={"name": name, "delivery": DeliverySettings(repository="me/jobs", order=order)})
        for name, order in (("a", 10), ("b", 9), ("d", 1), ("c", 1))
    ]
    assert list(answer_environments(settings, "me/jobs")) == ['environments=["c", "d", "b", "a"]']


def test_answers_go_to_standard_output_and_warnings_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["workflow_access", "environments", "me/fork"])
    main(PROJECT)
    captured = capsys.readouterr()
    assert captured.out == "environments=[]\n"
    assert captured.err.startswith("::warning file=environments/basic.toml::")


def test_an_environment_without_delivery_has_no_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["workflow_access", "role", "deploy", "local"])
    with pytest.raises(SystemExit, match=r"environments/local\.toml: without \[delivery\], no workflow may deploy it"):
        main(PROJECT)
