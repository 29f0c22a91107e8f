"""What a job's function carries of its settings: its parameters in a variable, its rights and what it uses in notes.

Lambda allows a function 4 KB of variables: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import json
from collections.abc import Mapping
from typing import Any

from settings.job_module import Rights
from settings.uses import Uses, destination


def parameters_variable(parameters: Mapping[str, Any]) -> str:
    """Return PARAMETERS of a job's function: its parameters as JSON.

    Raises:
        ValueError: they take more than 2,000 characters.
    """
    text = _json(parameters)
    if len(text) > 2000:
        raise ValueError(f"they take {len(text)} characters as JSON: write 2000 at most")
    return text


TABLES_NOTE = "mysql-jobs:tables"
"""Metadata of a job's function in the templates: the job's own TABLES, which `make diff` compares."""


def tables_note(rights: Rights) -> dict[str, str]:
    """Return rights as they are written in templates: {"event": "INSERT, SELECT"}."""
    return {table: ", ".join(sorted(wanted)) for table, wanted in rights.items()}


USES_NOTE = "mysql-jobs:uses"
"""Metadata of a job's function in the templates: what it uses besides its database."""


def uses_note(uses: Uses) -> dict[str, Any]:
    """Return it as it is written in templates: {"s3": {"my-exports/*": "PutObject"}, "internet": "api.example:443"}."""
    noted: dict[str, Any] = {
        service: {resource: ", ".join(sorted(actions)) for resource, actions in sorted(resources.items())}
        for service, resources in sorted(uses.services.items())
    }
    if uses.secrets:
        noted["secret"] = ", ".join(sorted(uses.secrets))
    if uses.internet:
        noted["internet"] = ", ".join(uses.destinations)
    return noted


def noted_uses(note: Mapping[str, Any]) -> Uses:
    """Return what `uses_note` has written."""
    return Uses(
        services={
            service: {resource: frozenset(_listed(actions)) for resource, actions in resources.items()}
            for service, resources in note.items()
            if isinstance(resources, Mapping)
        },
        secrets=frozenset(_listed(note.get("secret", ""))),
        internet=frozenset(map(destination, _listed(note.get("internet", "")))),
    )


def _listed(text: str) -> list[str]:
    return text.split(", ") if text else []


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
