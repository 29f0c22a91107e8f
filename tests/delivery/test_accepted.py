"""Who accepts a dangerous change, and why: the label after all else that happened, a line that a reader can see."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from settings.project import ROOT
from tests.delivery.github_expressions import holds, rendered
from tests.delivery.pull_requests import FORK, REPOSITORY, event, github
from tests.delivery.scripts import SCRIPTS, module

accepted = module("accepted")
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "diff.yml").read_text())
ON = "labeled accept-change"
OFF = "unlabeled accept-change"
OTHER = "labeled documentation"

HISTORIES = {
    "opened": False,
    "opened, labeled accept-change": True,
    "labeled accept-change": True,
    "labeled documentation": False,
    "opened, labeled documentation": False,
    # Put on for what was there before:
    "opened, labeled accept-change, synchronize": False,
    "opened, labeled accept-change, edited": False,
    "opened, labeled accept-change, reopened": False,
    "opened, labeled accept-change, unlabeled accept-change": False,
    # … and a bot's label a moment after the push, while the label is still on:
    "opened, labeled accept-change, synchronize, labeled documentation": False,
    "opened, labeled accept-change, edited, labeled documentation": False,
    "opened, labeled accept-change, edited, unlabeled documentation": False,
    # Put on anew is enough:
    "opened, labeled accept-change, edited, labeled accept-change": True,
    "opened, labeled accept-change, synchronize, labeled accept-change": True,
    "opened, labeled accept-change, unlabeled accept-change, labeled accept-change": True,
    # Other labels change nothing:
    "opened, labeled accept-change, labeled documentation": True,
    "opened, labeled accept-change, unlabeled documentation": True,
    "opened, labeled documentation, labeled accept-change, labeled bug, unlabeled bug": True,
    "opened, labeled accept-changes": False,
    "opened, labeled Accept-Change": False,
    "opened, labeled x accept-change": False,
    "opened, labeled accept-change accept-change": False,
}
"""What happened at the head commit, in its order, and whether the change is accepted then."""


@pytest.mark.parametrize(("history", "expected"), HISTORIES.items(), ids=str)
def test_the_label_counts_for_what_was_there_when_it_was_put_on(history: str, expected: bool) -> None:
    events = [event(each) for each in history.split(", ")]
    assert accepted.accepted(events[-1], _runs(*events)) == expected
    # Whichever of its runs is started again, by whomever: it says what is so now.
    assert {accepted.accepted(each, _runs(*events)) for each in events} == {expected}


def test_what_happened_to_another_pull_request_of_the_same_commit_is_not_about_this_one() -> None:
    history = _runs(event("opened"), event("opened", number=77), event(ON, number=77), event(OTHER))
    assert not accepted.accepted(event(OTHER), history)
    assert accepted.accepted(event(ON, number=77), history)


@pytest.mark.parametrize("head", [FORK, None])
def test_a_fork_can_not_be_accepted_with_the_label(head: str | None) -> None:
    assert not accepted.accepted(event(ON, head=head), _runs(event(ON, head=head)))


def test_the_runs_are_sorted_by_number_whatever_order_github_lists_them_in() -> None:
    history = _runs(*map(event, ("opened", ON, "synchronize")))
    assert not accepted.accepted(event(OTHER), dict(reversed(history.items())))


@pytest.mark.parametrize("happened", ["opened", "synchronize", "edited", ON, OFF, OTHER])
def test_the_workflow_names_its_runs_as_they_are_read(happened: str) -> None:
    assert rendered(WORKFLOW["run-name"], github(event(happened))).strip() == accepted.run_title(event(happened))


def test_the_workflow_hears_of_all_that_decides() -> None:
    assert set(WORKFLOW[True]["pull_request"]["types"]) == {each.partition(" ")[0] for each in accepted.DECIDES}


@pytest.mark.parametrize(
    ("happened", "labels", "head", "taken"),
    [
        ("synchronize", ("accept-change",), REPOSITORY, True),
        ("edited", ("bug", "accept-change"), REPOSITORY, True),
        ("reopened", ("accept-change",), REPOSITORY, True),
        ("edited", ("bug",), REPOSITORY, False),
        ("opened", ("accept-change",), REPOSITORY, False),
        (ON, ("accept-change",), REPOSITORY, False),
        (OTHER, ("accept-change", "documentation"), REPOSITORY, False),
        ("synchronize", ("accept-change",), FORK, False),
    ],
)
def test_the_label_is_taken_away_when_it_does_not_count_any_more(
    happened: str, labels: tuple[str, ...], head: str, taken: bool
) -> None:
    payload = event(happened, labels=labels, head=head)
    assert holds(WORKFLOW["jobs"]["forget"]["if"], github(payload)) == taken


SEEN = {
    "Accept-change: basic starts anew": "basic starts anew",
    "Moves it.\r\n\r\nAccept-change: basic starts anew  \r\nAccept-change: second\r\n": "basic starts anew",
    "Accept-change:basic starts anew": "basic starts anew",
    "Accept-change: --base=HEAD": "--base=HEAD",
    "Accept-change: $(touch broken) `touch broken` '\"\\": "$(touch broken) `touch broken` '\"\\",
    "Accept-change: \nAccept-change: said below": "said below",
    "Accept-change: a\tb\x1b[31m\x00c\x7f\u202ed\u200b": "a b[31mcd",
    "Accept-change: why <!-- in short -->": "why",
    "<!-- what -->\nAccept-change: why": "why",
    "<!--\nAccept-change: reason\n-->\nAccept-change: why": "why",
    "```\nls\n```\nAccept-change: why": "why",
    "~~~~ sh\n~~~\n```\n~~~~~\nAccept-change: why": "why",
    "```\n<!--\n```\nAccept-change: why": "why",
    "`<!-- a -->` and so on\nAccept-change: why": "why",
    "```code``` and so on\nAccept-change: why": "why",
    "> quoted\n\nAccept-change: why": "why",
    "> ```\n> ls\n> ```\n\nAccept-change: why": "why",
    "1. one\n\n   ```\n   ls\n   ```\n\nAccept-change: why": "why",
    "Accept-change: " + "x" * 9000: "x" * 500,
}
UNSEEN = [
    "",
    "Accept-change: ",
    "Accept-change:\r\nbasic starts anew",
    "Accept-change: \x00\u202e",
    "I said: Accept-change: no",
    "accept-change: no",
    "a\x0bAccept-change: no",
    "a\u2028Accept-change: no",
    # in a comment
    "<!-- Accept-change: no -->",
    "<!--\nAccept-change: no\n-->",
    "<!--\n\nAccept-change: no",
    "text <!-- and\nAccept-change: no\n--> text",
    "<!-- a --><!-- b\nAccept-change: no",
    "<!-- a -->Accept-change: no",
    "<!--\n-->Accept-change: no",
    "<!--\n```\n-->\n```\nAccept-change: no\n```",
    "Accept-change:<!-- no -->",
    # in code
    "```\nAccept-change: no\n```",
    "```\nAccept-change: no",
    "~~~\nAccept-change: no\n~~~",
    "````md\n```\nAccept-change: no\n````",
    "```\n~~~\nAccept-change: no\n```",
    "```\n``` sh\nAccept-change: no\n```",
    "   ```\nAccept-change: no\n   ```",
    "    ```\nAccept-change: no\n    ```",
    "\t```\nAccept-change: no",
    "- ```\nAccept-change: no\n  ```",
    "```\n    ```\nAccept-change: no\n```",
    "```\n> ```\nAccept-change: no\n```",
    "- a\n  ~~~\nb\n```\n> ~~~\nAccept-change: no\n```",
    "```\n-->\nAccept-change: no\n```",
    "    Accept-change: no",
    "\tAccept-change: no",
    " Accept-change: no",
    "- Accept-change: no",
    # in a quote
    "> Accept-change: no",
    ">Accept-change: no",
    "> quoted\nAccept-change: no",
    "   > quoted\nand on\nAccept-change: no",
]


@pytest.mark.parametrize(("description", "said"), SEEN.items(), ids=repr)
def test_the_reason_is_a_line_of_the_description(description: str, said: str) -> None:
    assert accepted.reason(description) == said


@pytest.mark.parametrize("description", UNSEEN, ids=repr)
def test_a_line_that_a_reader_does_not_see_as_one_is_no_reason(description: str) -> None:
    assert accepted.reason(description) == ""


def test_what_everybody_gets_as_a_description_accepts_nothing() -> None:
    assert accepted.reason((ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md").read_text()) == ""


@pytest.mark.parametrize(
    ("payload", "earlier", "out", "error"),
    [
        (event(ON), ("opened",), "basic starts anew", False),
        (event(ON), (), "basic starts anew", False),  # a list that does not have this run yet
        (event(OTHER), ("opened", ON), "basic starts anew", False),
        (event("edited"), ("opened", ON), "", False),
        (event(OTHER), ("opened", "labeled x\n[99, '#7 labeled accept-change']"), "", False),
        (event(ON, body="text"), ("opened",), "", True),
        (event(ON, body=None), ("opened",), "", True),
    ],
)
def test_it_prints_the_reason_and_says_so_if_there_is_none(
    payload: dict[str, Any], earlier: tuple[str, ...], out: str, error: bool, tmp_path: Path
) -> None:
    (tmp_path / "event.json").write_text(json.dumps(payload))
    lines = [json.dumps(each) + "\n" for each in _runs(*map(event, earlier)).items()]
    (tmp_path / "history").write_text("".join(reversed(lines)))
    done = subprocess.run(
        [sys.executable, SCRIPTS / "accepted.py", "event.json", "history"],
        cwd=tmp_path,
        env={**os.environ, "GITHUB_RUN_NUMBER": str(10 + len(earlier))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == out
    assert ("::error::The label accept-change counts with a reason" in done.stderr) == error


def _runs(*events: dict[str, Any]) -> dict[int, str]:
    """The runs that GitHub made for them."""
    return {10 + number: accepted.run_title(each) for number, each in enumerate(events)}
