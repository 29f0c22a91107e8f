"""Parts of messages about an environment file: values as they are written there, and corrections of misspelt words."""

import difflib
import json
from collections.abc import Iterable


def as_written(value: object) -> str:
    """Return the value as TOML writes it: true, 12, "text", ["a", "b"]."""
    return json.dumps(value, ensure_ascii=False, default=str)


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str) -> str:
    """Return what to write instead of `word`: the nearest of the `known` words, or `otherwise` if none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else otherwise
