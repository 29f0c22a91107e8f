"""What an expression of a workflow comes to at an event: as much of GitHub's language as the conditions here use."""

import json
import re
from collections.abc import Mapping
from typing import Any


def holds(condition: str, github: Mapping[str, Any]) -> bool:
    """Whether an `if:` does; one without a condition does always."""
    return bool(_value(condition, github)) if condition else True


def rendered(text: str, github: Mapping[str, Any]) -> str:
    """A text with `${{ … }}` in it. What is not there is nothing, as on GitHub."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda each: str(_value(each[1], github) or ""), text)


def _value(expression: str, github: Mapping[str, Any]) -> Any:
    python = re.sub(r"'[^']*'|github(?:\.[\w*]+)+|&&|\|\||!(?!=)", lambda each: _python(each[0]), expression)
    names = {"get": lambda path: _get(github, path.split(".")[1:]), "contains": _contains, "fromJSON": json.loads}
    return eval(" ".join(python.split()), {"__builtins__": {}}, names)  # noqa: S307 - this repository's own


def _python(token: str) -> str:
    operators = {"&&": " and ", "||": " or ", "!": " not "}
    return operators.get(token) or (repr(token[1:-1]) if token.startswith("'") else f"get({token!r})")


def _get(value: Any, path: list[str]) -> Any:
    for number, name in enumerate(path):
        if name == "*":
            return [_get(each, path[number + 1 :]) for each in value or ()]
        value = (value or {}).get(name)
    return value


def _contains(values: Any, wanted: Any) -> bool:
    return wanted in values
