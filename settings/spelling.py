"""Parts of messages about an environment file: values as they are written there, and corrections of misspelt words."""

import difflib
import json
import re
from collections.abc import Iterable


def as_written(value: object) -> str:
    """Return the value as TOML writes it: true, 12, "text", ["a", "b"]; what can't be seen in it is escaped."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    # Not as JSON: beyond 16 bits it writes two surrogates, and DEL as it is, which TOML both refuses.
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def as_key(key: str) -> str:
    """Return a key as TOML writes it: in quotes, unless it is bare."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else as_written(key)


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str, cutoff: float = 0.6) -> str:
    """Return what to write instead of `word`: the nearest of the `known` words, or `otherwise` if none is near.

    `cutoff` is how near it must be: 1 is the word itself.
    """
    near = difflib.get_close_matches(word, sorted(known), n=1, cutoff=cutoff)
    return f"did you mean {near[0]}?" if near else otherwise
