"""A secret is found in a text in each form that libraries write it in."""

import json
from urllib.parse import quote, quote_plus

import pytest
from urllib3.exceptions import MaxRetryError

from mysql_jobs.outside.concealed import forms

KEY = "ab/cd+Q7=gh&ij'k\"l m\nsecond line, é"


def _shown(text: str, secret: str = KEY) -> str:
    for each in sorted(forms(secret), key=len, reverse=True):
        text = text.replace(each, "***")
    return text


@pytest.mark.parametrize(
    "text",
    [
        f"refused: {KEY}",
        str(MaxRetryError(None, f"/bills?key={quote(KEY, safe='')}")),  # type: ignore[arg-type]
        f"/bills/{quote(KEY)}",
        f"/bills?key={quote_plus(KEY)}",
        json.dumps({"key": KEY}),
        json.dumps({"key": KEY}, ensure_ascii=False),
        str(KeyError(KEY)),
        "Unknown parameter in input: {!r}".format({"key": KEY}),
    ],
)
def test_no_form_of_a_secret_is_shown(text: str) -> None:
    assert "***" in _shown(text)
    for part in ("cd", "Q7", "second"):
        assert part not in _shown(text)


def test_each_text_in_a_secret_that_is_json_is_one() -> None:
    secret = json.dumps({"user": "a-user", "keys": {"old": [KEY]}, "n": 123456, "mode": "short"})
    assert _shown(f"a-user, {KEY}; short 123456", secret) == "***, ***; short 123456"


def test_what_a_secret_of_a_database_has_beside_its_password_is_none() -> None:
    others = {"engine": "sqlserver", "host": "reports.example", "username": "reports", "port": "143300"}
    text = "reports of reports.example: 143300, sqlserver"
    assert _shown(text, json.dumps({**others, "password": "the-password"})) == text
    assert _shown("the-password", json.dumps({**others, "password": "the-password"})) == "***"


@pytest.mark.parametrize("text", ["", "short", "[1, 2]", '"short"', "{", "[" * 100_000])
def test_what_is_no_json_or_too_short_conceals_nothing_else(text: str) -> None:
    assert _shown("a short text", text) == "a short text"
