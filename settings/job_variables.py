"""The environment variables that carry parameters and rights to the functions, and what fits them.

Lambda allows a function 4 KB of them: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from settings.job_module import Rights


def parameters_variable(parameters: Mapping[str, Any]) -> str:
    """Return PARAMETERS of a job's function: its parameters as JSON.

    Raises:
        ValueError: they take more than 2,000 characters.
    """
    text = _json(parameters)
    if len(text) > 2000:
        raise ValueError(f"they take {len(text)} characters as JSON: write 2000 at most")
    return text


RIGHTS_FILE = "rights.json"
"""Takes the rights in the zip of the migrate function, and is named in RIGHTS, where they don't fit that."""


TABLES_NOTE = "mysql-jobs:tables"
"""Metadata of a job's function in the templates: the job's own TABLES, which `make diff` compares."""


def rights_text(jobs: Iterable[Rights]) -> str:
    """Return all rights that `jobs` need together, as the migrate function reads them: {"event":"INSERT, SELECT"}."""
    tables: dict[str, frozenset[str]] = {}
    for rights in jobs:
        for table, wanted in rights.items():
            tables[table] = tables.get(table, frozenset()) | wanted
    return _json(tables_note(tables))


def tables_note(rights: Rights) -> dict[str, str]:
    """Return rights as they are written in templates: {"event": "INSERT, SELECT"}."""
    return {table: ", ".join(sorted(wanted)) for table, wanted in rights.items()}


def fits_variable(rights: str) -> bool:
    """Return whether the text of the rights fits an environment variable, beside what else the function is told."""
    return len(rights) <= 3000


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
