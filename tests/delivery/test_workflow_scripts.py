"""What the workflows run besides make: whatever a pull request says is data to it, and its exit status is right."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

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
    written = comment.comment("**Not accepted yet** in basic.\n", RUN)
    assert written.endswith(comment.HOW_TO_ACCEPT)
    assert "`Accept-change: why`" in written


@pytest.mark.parametrize("line", ["- `Jobs/Queue` is new", "- „größer“ 🗑"])
@pytest.mark.parametrize("verdict", ["Nothing loses data.", "**Not accepted yet** in basic."])
def test_a_long_report_is_cut_at_a_line_and_folds_are_closed(line: str, verdict: str) -> None:
    report = f"{verdict}\n\n<details><summary>Jobs</summary>\n\n" + f"{line}\n" * 20_000 + "\n</details>\n"
    written = comment.comment(report, RUN)
    assert len(written.encode()) <= comment.LIMIT
    assert written.startswith(f"{comment.MARK}\n{verdict}")
    assert written.count("<details>") == written.count("</details>") == 1
    kept, _, end = written.partition("\n</details>\n")
    assert kept.endswith(f"\n{line}")
    assert f"[the summary of the run]({RUN})" in end
    assert ("accept-change" in end) == verdict.startswith("**Not accepted")


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
