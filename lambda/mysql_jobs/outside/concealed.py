"""A secret, as it may stand in a text: nothing that is written of a run shows it in any of these forms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

LEAST_SECRET = 6
"""Characters of a secret, or of one in a secret that is JSON: anything shorter stands in texts by chance."""
NO_SECRETS = frozenset({"dbname", "engine", "host", "masterarn", "port", "username"})
"""Keys of what AWS's own secrets have beside a password: a job may well report whom or what it asked.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html"""


def forms(text: str) -> set[str]:
    """Return what must not be shown of the secret `text`.

    In an address, as urllib3's errors quote it; in JSON; and as Python shows a text in a dict or as a key. A run's
    result is judged by these, too. GitHub conceals secrets in such forms for the same reason:
    https://github.com/actions/runner/blob/main/src/Sdk/DTLogging/Logging/ValueEncoders.cs
    """
    return {
        form
        for part in _parts(text)
        for form in (
            part,
            quote(part, safe="", errors="replace"),
            quote(part, errors="replace"),
            quote_plus(part, errors="replace"),
            json.dumps(part)[1:-1],
            json.dumps(part, ensure_ascii=False)[1:-1],
            repr(part)[1:-1],
        )
    }


def _parts(text: str) -> Iterator[str]:
    """A secret, and the secret texts in it if it is JSON, as Secrets Manager's console makes them."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or none that anybody could read
        read = None
    yield from (part for part in (text, *_texts(read)) if len(part) >= LEAST_SECRET)


def _texts(read: object) -> Iterator[str]:
    left = [read]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case dict() as some:
                left += [part for key, part in some.items() if key not in NO_SECRETS]
            case list() as some:
                left += some
