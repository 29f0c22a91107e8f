"""What the workflows run besides make: whatever a pull request says is data to it, and its exit status is right."""

import json
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from review.changes import compare
from review.cost import changed_cost
from review.danger import Danger
from review.next_runs import changed_runs
from review.report import EnvironmentReview, markdown
from review.templates import read_templates
from settings.project import ROOT
from tests.delivery.pull_requests import event
from tests.delivery.scripts import module

GITHUB = ROOT / ".github"
RUN = "https://github.example/octo-org/jobs/actions/runs/7"
FAKE_PYTHON = """\
#!/usr/bin/env bash
printf '%s\\n' "$@" > arguments
exit "$STATUS"
"""
FAKE_GH = """\
#!/usr/bin/env bash
printf '%s ' "$@" >> calls
echo >> calls
case "$*" in *--paginate*) printf '%s' "$FOUND" ;; *) cp comment.md written ;; esac
"""


comment = module("comment")
upgrade = module("upgrade")


def test_a_report_that_fits_is_the_comment_below_its_mark() -> None:
    assert comment.comment("# Against main\n", RUN) == "<!-- make diff -->\n# Against main\n"


def test_a_report_that_asks_for_a_yes_says_how_to_give_it_here() -> None:
    written = comment.comment("# Against main\n\n**Not accepted yet: 1 decision**, in `basic`.\n", RUN)
    assert written.endswith(comment.HOW_TO_ACCEPT)
    assert "`Accept-change: why`" in written


def test_what_somebody_wrote_asks_for_no_yes() -> None:
    report = "# Against main\n\nEverything that has to be accepted is.\n\n- Accepted: `**Not accepted yet`\n"
    assert "Accept-change" not in comment.comment(report, RUN)


def _report(*, dangers: int, lines: int = 1, changes: int = 1, name: str = "Database") -> str:
    """A report as `make diff` makes it."""
    some = [
        Danger(
            kind=kind, code=f"code-{number}", resource=f"{name}/{number}", text=f"`größer` {line}", then="it is gone"
        )
        for number in range(dangers)
        for kind in ("data" if number % 2 else "access",)
        for line in range(lines)
    ]
    properties = {"ScheduleExpression": "rate(1 day)"}
    schedule = {"Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": properties}}
    filters = {f"Filter{number}": {"Type": "AWS::Logs::MetricFilter", "Properties": {}} for number in range(changes)}
    old, new = (
        read_templates("basic", "1" * 12, "us-east-1", {"Jobs": {"Resources": resources}}, {})
        for resources in ({}, {**schedule, **filters, "Key": {"Type": "AWS::KMS::Key"}})
    )
    basic = EnvironmentReview(
        name="basic",
        done=["`environments/basic.toml`"],
        changes=compare(old, new),
        dangers=some,
        cost=changed_cost(old, new),
        runs=list(changed_runs(old, new, now=datetime(2026, 11, 27, tzinfo=UTC))),
    )
    return markdown("Against main", [basic], (), ["`migrations/0001_a.sql`: instant"])


def _headings(text: str) -> list[str]:
    return [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]


def test_it_knows_every_heading_of_a_report() -> None:
    assert _headings(_report(dangers=2)) == ["Loses data", "Widens access", *comment.BESIDES]


@pytest.mark.parametrize(
    ("report", "headings"),
    [
        (_report(dangers=4, changes=2_000), ["Loses data", "Widens access", *comment.BESIDES[:-2]]),
        (_report(dangers=2, lines=800), ["Loses data", "Widens access", *comment.BESIDES]),
        (_report(dangers=300, lines=5), ["Loses data", "Widens access"]),
        (_report(dangers=600, lines=5), ["Loses data", "Widens access"]),
        (_report(dangers=1_100), ["Loses data", "Widens access"]),
    ],
)
def test_of_a_long_report_the_verdict_and_every_danger_stay(report: str, headings: list[str]) -> None:
    written = comment.comment(report, RUN)
    assert len(written.encode()) <= comment.COMMENT_LIMIT
    verdict = "\n".join(report.splitlines()[:3])
    assert written.startswith(f"{comment.MARK}\n{verdict}\n")
    assert written.endswith(comment.HOW_TO_ACCEPT)
    assert _headings(written) == headings
    decided = [line for line in report.splitlines() if line.startswith("- **`")]
    assert [line for line in written.splitlines() if line.startswith("- **`")] == decided
    assert written.count("<details>") == written.count("</details>")
    if len(report.encode()) > comment.COMMENT_LIMIT:
        assert f"**Shortened.** The whole report is in [the summary of the run]({RUN})." in written


def test_of_dangers_that_do_not_fit_at_all_the_number_is_said() -> None:
    report = _report(dangers=3_001, name="Database" * 5)
    written = comment.comment(report, RUN)
    assert len(written.encode()) <= comment.COMMENT_LIMIT
    assert "**Not accepted yet: 3001 decisions**" in written
    assert "## Loses data\n\n1500, which are too many to be listed here.\n" in written
    assert "## Widens access\n\n1501, which are too many to be listed here.\n" in written
    assert f"[the summary of the run]({RUN})" in written


def test_the_summary_of_the_job_has_the_whole_report_as_long_as_github_shows_it() -> None:
    report = _report(dangers=3_001)
    assert comment.summary(report, RUN) == report
    longer = comment.summary(_report(dangers=2, changes=20_000), RUN)
    assert len(longer.encode()) <= comment.SUMMARY_LIMIT
    assert f"The whole report is in the artifact `diff` of [the run]({RUN})." in longer
    workflow = yaml.safe_load((GITHUB / "workflows" / "diff.yml").read_text())
    uploads = [
        step["with"] for step in workflow["jobs"]["report"]["steps"] if "upload-artifact" in step.get("uses", "")
    ]
    assert uploads == [{"name": "diff", "path": "cdk.out/diff.md"}]


def test_the_workflow_looks_for_the_mark() -> None:
    assert f'startswith("{comment.MARK}")' in (GITHUB / "workflows" / "diff.yml").read_text()


@pytest.mark.parametrize(("status", "expected"), [(0, 0), (3, 0), (4, 4), (70, 70), (1, 1)])
def test_the_check_fails_if_a_danger_is_not_accepted_or_there_is_no_report(
    status: int, expected: int, tmp_path: Path
) -> None:
    done, _ = _diff(tmp_path, status=status)
    assert done.returncode == expected
    assert ("::error::" in done.stdout) == bool(expected)
    assert (tmp_path / "cdk.out" / "diff.md").exists() == (expected not in (0, 4))


@pytest.mark.parametrize(
    "reason", ["basic starts anew", "--base=HEAD", "$(touch broken) `touch broken`; touch broken '\"\\"]
)
def test_the_reason_is_data(reason: str, tmp_path: Path) -> None:
    _, arguments = _diff(tmp_path, status=3, description=f"Accept-change: {reason}")
    assert arguments == ["-m", "review.diff", "--base=origin/main", f"--accept={reason}"]
    assert not (tmp_path / "broken").exists()


def test_without_a_reason_nothing_is_accepted(tmp_path: Path) -> None:
    done, arguments = _diff(tmp_path, status=4, description="<!-- Accept-change: reason -->")
    assert arguments[3] == "--accept="
    assert "counts with a reason" in done.stderr
    assert done.returncode == 4


def test_the_check_fails_if_it_can_not_be_said_who_accepted_what(tmp_path: Path) -> None:
    done, arguments = _diff(tmp_path, status=0, history="no number\n")
    assert done.returncode
    assert not arguments


def test_the_base_is_data_too(tmp_path: Path) -> None:
    _, arguments = _diff(tmp_path, status=3, base="origin/$(touch broken);x")
    assert arguments[2] == "--base=origin/$(touch broken);x"
    assert not (tmp_path / "broken").exists()


@pytest.mark.parametrize("status", [0, 3])
def test_a_summary_has_the_output_and_the_status_stays(status: int, tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    script = f"printf '\\033[31m## red\\033[0m\\n'; echo said >&2; exit {status}"
    done = subprocess.run(
        [GITHUB / "scripts" / "summarize", "What changes", "bash", "-c", script],
        env={**os.environ, "GITHUB_STEP_SUMMARY": str(summary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert done.stdout == "\033[31m## red\033[0m\nsaid\n"
    assert summary.read_text() == f"## What changes\n\n    ## red\n    said\n\n\nExit status {status}.\n\n"


@pytest.mark.parametrize(
    ("found", "call"),
    [
        ("", "api --silent repos/octo-org/jobs/issues/7/comments --field body=@comment.md "),
        ("42\n43\n", "api --silent --method PATCH repos/octo-org/jobs/issues/comments/42 --field body=@comment.md "),
    ],
)
def test_a_pull_request_has_one_comment_that_is_written_anew(found: str, call: str, tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "gh", FAKE_GH)
    workflow = yaml.safe_load((GITHUB / "workflows" / "diff.yml").read_text())
    script = workflow["jobs"]["comment"]["steps"][0]["run"]
    text = "<!-- make diff -->\n$(touch broken) `touch broken` %s\n"
    subprocess.run(
        ["bash", "-e", "-c", script],  # as GitHub runs it
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "FOUND": found,
            "GH_REPO": "octo-org/jobs",
            "NUMBER": "7",
            "COMMENT": text,
        },
        check=True,
    )
    assert re.sub(r"\s+$", " ", (tmp_path / "calls").read_text()).endswith(call)
    assert (tmp_path / "written").read_text() == text
    assert not (tmp_path / "broken").exists()


def test_what_happened_is_asked_of_the_head_commit_and_reaches_the_script(tmp_path: Path) -> None:
    _program(tmp_path / "bin" / "gh", FAKE_GH)
    steps = yaml.safe_load((GITHUB / "workflows" / "diff.yml").read_text())["jobs"]["report"]["steps"]
    [asks] = [step for step in steps if "actions/workflows/diff.yml/runs" in step.get("run", "")]
    [compares] = [step for step in steps if "scripts/diff" in step.get("run", "")]
    assert asks["env"]["HEAD"] == "${{ github.event.pull_request.head.sha }}"
    found = '[2,"#7 labeled accept-change"]\n[1,"#7 opened"]\n'
    subprocess.run(
        ["bash", "-e", "-c", asks["run"]],
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "FOUND": found,
            "GITHUB_REPOSITORY": "octo-org/jobs",
            "HEAD": "0123abc",
            "RUNNER_TEMP": str(tmp_path),
        },
        check=True,
    )
    assert "event=pull_request&head_sha=0123abc&" in (tmp_path / "calls").read_text()
    assert Path(compares["env"]["HISTORY"].replace("${{ runner.temp }}", str(tmp_path))).read_text() == found


def test_what_pyproject_names_is_upgraded_and_nothing_else() -> None:
    project = '"a.b==1.0",\n"a.b-c==1.0",\n"PyMySQL==1.2.4", # 1.2.4\n"kept==1.0",\n# a.b==1.0\n'
    outdated = [
        {"name": "A-b", "version": "1.0", "latest_version": "2.0"},
        {"name": "pymysql", "version": "1.2.4", "latest_version": "1.3"},
        {"name": "transitive", "version": "1.0", "latest_version": "2.0"},
    ]
    assert upgrade.upgraded(project, outdated) == (
        '"a.b==2.0",\n"a.b-c==1.0",\n"PyMySQL==1.3", # 1.2.4\n"kept==1.0",\n# a.b==1.0\n'
    )


def test_every_pin_of_pyproject_can_be_upgraded() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    pins = re.findall(r'^    "([\w.-]+)==([^"]+)"', project, flags=re.MULTILINE)
    assert len(pins) > 15
    newer = [{"name": name, "version": version, "latest_version": "99"} for name, version in pins]
    assert upgrade.upgraded(project, newer).count('==99"') == len(pins)


def _diff(
    folder: Path, *, status: int, base: str = "origin/main", description: str = "", history: str = '[1, "#7 opened"]\n'
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """What .github/scripts/diff comes to when the label is put on and `make diff` ends with `status`, and that call."""
    _program(folder / ".venv" / "bin" / "python", FAKE_PYTHON)
    (folder / ".github").symlink_to(GITHUB)
    (folder / "event.json").write_text(json.dumps(event("labeled accept-change", body=description)))
    (folder / "history").write_text(history)
    done = subprocess.run(
        [GITHUB / "scripts" / "diff"],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "STATUS": str(status),
            "BASE": base,
            "GITHUB_EVENT_PATH": "event.json",
            "GITHUB_RUN_NUMBER": "2",
            "HISTORY": "history",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    arguments = folder / "arguments"
    return done, arguments.read_text().splitlines() if arguments.exists() else []


def _program(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(text)
    file.chmod(0o755)
