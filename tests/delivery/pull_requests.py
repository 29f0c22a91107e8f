"""Events of a pull request, as GitHub sends them to a workflow: of their fields, those that ours read."""

from typing import Any

REPOSITORY = "octo-org/jobs"
FORK = "somebody/jobs"
BOT = "github-actions[bot]"


def event(
    happened: str,
    *,
    number: int = 7,
    body: str | None = "Accept-change: basic starts anew",
    head: str | None = REPOSITORY,
    author: str = "octocat",
    labels: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The payload when `happened`: an action, and the label that it is about, like "labeled accept-change"."""
    action, _, label = happened.partition(" ")
    return {
        "action": action,
        "number": number,
        "pull_request": {
            "number": number,
            "body": body,
            "user": {"login": author},
            "labels": [{"name": name} for name in labels],
            "head": {"sha": "0" * 40, "repo": head and {"full_name": head}},
        },
        "repository": {"full_name": REPOSITORY},
        **({"label": {"name": label}} if label else {}),
    }


def github(payload: dict[str, Any]) -> dict[str, Any]:
    """The context `github` of an expression."""
    return {"event_name": "pull_request", "event": payload, "repository": REPOSITORY}
