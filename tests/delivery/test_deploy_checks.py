"""What make deploy, make diff and make destroy refuse, and what they say then."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from delivery import checks, command
from delivery.assembly import Assembly
from delivery.aws import Aws, DeployedStack
from delivery.dangers import Found
from delivery.diff import shown
from delivery.refusal import Refused
from tests.fixture import ENVIRONMENTS, PROJECT

REGION = "eu-central-1"


def stack(status: str, *, protected: bool = False) -> DeployedStack:
    return DeployedStack(
        name="basic-Jobs", status=status, protected=protected, changed=datetime(2026, 11, 24, tzinfo=UTC)
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / "app.py").write_text("")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", "--all")
    _git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "The app")
    return tmp_path


def test_a_commit_is_named_with_its_subject(repository: Path) -> None:
    (repository / "ignored.log").write_text("")
    commit = _git(repository, "rev-parse", "--short", "HEAD").strip()
    assert checks.clean_commit(repository) == f"{commit} (The app)"


def test_what_is_changed_or_new_and_not_committed_is_listed(repository: Path) -> None:
    (repository / "app.py").write_text("import sys\n")
    (repository / "new.py").write_text("")
    with pytest.raises(Refused, match=r"are not committed:\n M app\.py\n\?\? new\.py\nCommit them"):
        checks.clean_commit(repository)


def test_what_git_is_told_not_to_list_counts_all_the_same(repository: Path) -> None:
    _git(repository, "config", "status.showUntrackedFiles", "no")
    (repository / "new.py").write_text("")
    with pytest.raises(Refused, match="new"):
        checks.clean_commit(repository)


def test_what_is_deployed_and_hidden_from_git_counts_all_the_same(repository: Path) -> None:
    (repository / "environments").mkdir()
    (repository / "environments" / "evil.toml").write_text("")
    (repository / ".git" / "info" / "exclude").write_text("evil.toml\n")
    with pytest.raises(Refused, match=r"hidden from git .*\nenvironments/evil\.toml\nCommit them"):
        checks.clean_commit(repository)
    (repository / "environments" / "evil.toml").unlink()
    _git(repository, "update-index", "--assume-unchanged", "app.py")
    (repository / "app.py").write_text("import sys\n")
    with pytest.raises(Refused, match=r"hidden from git .*\napp\.py\nCommit them"):
        checks.clean_commit(repository)


def test_without_a_repository_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(Refused, match=r"is not a git repository \(fatal: not a git repository.*deploy from a clone"):
        checks.clean_commit(tmp_path)


def test_without_credentials_it_says_how_to_get_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with pytest.raises(Refused, match=r"No valid credentials for AWS: Unable to locate credentials\nLog in"):
        checks.account(Aws(REGION), ENVIRONMENTS["basic"])
    monkeypatch.setenv("AWS_PROFILE", "no-such")
    with pytest.raises(Refused, match=r"The config profile \(no-such\) could not be found\nLog in"):
        checks.account(Aws(REGION), ENVIRONMENTS["basic"])


def test_a_stack_that_is_being_changed_is_not_destroyed_and_one_that_failed_is() -> None:
    checks.at_rest({"basic-Jobs": stack("DELETE_FAILED"), "basic-Network": stack("REVIEW_IN_PROGRESS")})
    with pytest.raises(Refused, match=r"basic-Jobs \(DELETE_IN_PROGRESS\): wait"):
        checks.at_rest({"basic-Jobs": stack("DELETE_IN_PROGRESS")})


@pytest.mark.parametrize(
    ("there", "line"),
    [
        (stack("CREATE_COMPLETE", protected=True), "Stack basic-Jobs: termination protection goes off."),
        (
            stack("ROLLBACK_COMPLETE"),
            "Stack basic-Jobs (ROLLBACK_COMPLETE) could not be created before, and will be created again.",
        ),
    ],
)
def test_what_no_template_shows_is_a_difference_too(
    there: DeployedStack, line: str, assembly: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Assembly, "diff", lambda _: (0, "no template differs"))
    basic = Assembly(folder=assembly, environment="basic")
    nothing = Found(environment="basic", dangers=(), accepted={})
    assert shown(basic, {"basic-Jobs": there}, nothing)
    assert capsys.readouterr().out == f"no template differs\n{line}\n"
    assert not shown(basic, {"basic-Jobs": stack("UPDATE_COMPLETE")}, nothing)


def test_the_stacks_come_in_the_order_of_their_deployment(assembly: Path) -> None:
    large = Assembly(folder=assembly, environment="large")
    assert large.names == ["large-Network", "large-Database", "large-Jobs"]
    assert {each.name for each in large.stacks if each.protected} == {"large-Database"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "say which environment: ENV=basic or ENV=large or ENV=local or ENV=middle"),
        ("larg", "there is no environments/larg.toml: did you mean large?"),
        ("qa", "there is no environments/qa.toml: there are basic, large, local, middle"),
    ],
)
def test_an_unknown_environment_is_a_usage_error(name: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.settings(command.parser("deploy", description=None, status=""), PROJECT, name)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith(f"{reason}\n")


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout
