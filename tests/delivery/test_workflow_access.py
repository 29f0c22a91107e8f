"""What the workflows are told: which environments this repository delivers to, and the role for a job of theirs."""

import json
import shutil
from pathlib import Path

import pytest

from delivery.workflow_access import answer_environments, main
from settings.environment import DeliverySettings, EnvironmentSettings
from settings.project import Project
from tests.fixture import PROJECT, load

SETTINGS = load("basic")


HERE = "Octo-Org/jobs"
OURS = "octo-org@12/jobs@34"
OTHERS = "octo-org/other"
EXAMPLES = "example@1234567/mysql-jobs@987654321"


def test_a_repository_delivers_where_it_is_named_and_warns_where_another_is() -> None:
    environments = (*_chain(basic=(1, OURS), large=(1, OTHERS)), SETTINGS.model_copy(update={"delivery": None}))
    assert list(answer_environments(environments, HERE, fork=False)) == [
        "::warning file=environments/large.toml::[delivery] names octo-org/other, and this is Octo-Org/jobs: "
        "large is not deployed from here. See docs/delivery.md",
        'environments=["basic"]',
    ]


def test_environments_are_deployed_in_the_order_that_they_state() -> None:
    settings = _chain(a=(10, OURS), b=(9, OURS), d=(1, OURS), c=(1, OURS))
    assert list(answer_environments(settings, HERE, fork=False)) == ['environments=["c", "d", "b", "a"]']


@pytest.mark.parametrize(
    ("first", "second", "third", "fork", "levels", "answer"),
    [
        (OURS, OURS, OURS, False, [], ["first", "second", "third"]),
        # The last of the chain is somebody else's: a warning. One before ours: ours would go on without it.
        (OURS, OURS, OTHERS, False, ["warning"], ["first", "second"]),
        (OTHERS, OURS, OURS, False, ["error"], None),
        (EXAMPLES, OURS, OURS, False, ["error"], None),
        (OURS, OTHERS, OURS, False, ["error"], None),
        (OTHERS, OTHERS, OURS, True, ["error", "error"], None),
        (None, OURS, OURS, False, [], ["second", "third"]),
        # Nothing is ours: meant in a fork, and in a clone that nobody has set up. Else somebody renamed the repository.
        (OTHERS, OTHERS, OTHERS, False, ["error", "error", "error"], None),
        (EXAMPLES, EXAMPLES, OTHERS, False, ["error", "error", "error"], None),
        (OTHERS, OTHERS, OTHERS, True, ["warning", "warning", "warning"], []),
        (EXAMPLES, EXAMPLES, EXAMPLES, False, ["warning", "warning", "warning"], []),
        (None, None, None, False, [], []),
    ],
)
def test_no_green_run_leaves_out_what_should_be_deployed(
    first: str | None, second: str | None, third: str | None, fork: bool, levels: list[str], answer: list[str] | None
) -> None:
    settings = _chain(first=(1, first), second=(2, second), third=(3, third))
    lines = list(answer_environments(settings, HERE, fork=fork))
    said = [line for line in lines if line.startswith("::")]
    assert [line.removeprefix("::").partition(" ")[0] for line in said] == levels
    assert lines[len(said) :] == ([] if answer is None else [f"environments={json.dumps(answer)}"])


def test_an_error_says_what_would_happen_and_what_to_do() -> None:
    [error] = answer_environments(_chain(basic=(1, OTHERS), large=(2, OURS)), HERE, fork=False)
    assert error == (
        "::error file=environments/basic.toml::[delivery] names octo-org/other, and this is Octo-Org/jobs: "
        "basic is not deployed from here, and large would be deployed without it. Let it come later, or leave out its "
        "[delivery]. See docs/delivery.md"
    )


def test_a_renamed_repository_ends_the_workflow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(PROJECT.folder, tmp_path, dirs_exist_ok=True)
    for file in (tmp_path / "environments").iterdir():
        file.write_text(file.read_text().replace("example@1234567/", "octo-org@1234567/"))
    monkeypatch.setattr("sys.argv", ["workflow_access", "environments", "octo-org/renamed", "--fork", "false"])
    with pytest.raises(SystemExit) as ended:
        main(Project(tmp_path))
    captured = capsys.readouterr()
    assert ended.value.code == 1
    assert captured.out == ""
    assert captured.err.startswith("::error file=environments/basic.toml::")


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


def _chain(**environments: tuple[int, str | None]) -> list[EnvironmentSettings]:
    """Environments by name, with the order and the repository of their [delivery]."""
    return [
        SETTINGS.model_copy(
            update={"name": name, "delivery": DeliverySettings(repository=named, order=order) if named else None}
        )
        for name, (order, named) in environments.items()
    ]
