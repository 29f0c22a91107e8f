"""The environment variables that carry parameters and rights to the functions, and their largest size.

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


def rights_variable(jobs: Iterable[Rights]) -> str:
    """Return RIGHTS of the migrate function: all rights that `jobs` need together, like {"event":"INSERT, SELECT"}.

    Raises:
        ValueError: it takes more than 3,000 characters.
    """
    tables: dict[str, frozenset[str]] = {}
    for rights in jobs:
        for table, wanted in rights.items():
            tables[table] = tables.get(table, frozenset()) | wanted
    text = _json({table: ", ".join(sorted(wanted)) for table, wanted in tables.items()})
    if len(text) > 3000:
        raise ValueError(f"the jobs' rights take {len(text)} characters as JSON: name fewer tables, 3000 at most")
    return text


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
