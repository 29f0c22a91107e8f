"""A job's own environment variables: what Lambda takes, what nobody else uses, and nothing that is a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from settings.secret_text import secret_by_name, secret_by_value

NAME = r"[A-Za-z][A-Za-z0-9_]+"
"""https://docs.aws.amazon.com/lambda/latest/api/API_Environment.html"""

TAKEN = {
    r"JOB|MODULE|SCHEDULE|TIME_ZONE|CATCH_UP|MAX_HOURS|MAX_WINDOW_MINUTES|PARAMETERS|METRICS|OWN_SCHEMA|WATCHED|RIGHTS"
    r"|CONNECTIONS_NEEDED|(DATABASE|JOBS)_.*": "the engine tells its functions something by it",
    # AWS_ENDPOINT_URL leads to another AWS, AWS_LAMBDA_EXEC_WRAPPER starts another program in place of Python.
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
    r"AWS_.*|LAMBDA_TASK_ROOT|LAMBDA_RUNTIME_DIR|TZ": "Lambda sets it, or what talks to AWS reads it",
    # Other modules, or other libraries, than those that were tested: https://docs.python.org/3/using/cmdline.html
    r"PYTHON.*|LD_.*|GLIBC_TUNABLES|PATH": "it changes which code runs, or how",
    # The certificates that a secret is fetched with, the keys of a connection written to a file, weaker ciphers.
    # https://docs.openssl.org/3.0/man7/openssl-env/
    r"SSL_CERT_(FILE|DIR)|SSLKEYLOGFILE|OPENSSL_.*": "it changes how TLS verifies or encrypts",
    # https://man7.org/linux/man-pages/man7/environ.7.html, resolv.conf(5), hostname(7), locale(7)
    r"RES_OPTIONS|LOCALDOMAIN|HOSTALIASES": "it changes where a host's name leads, or how long that takes",
    r"LANG|LANGUAGE|LC_.*": "it changes how Python reads and writes text",
}
"""Names that no job can give, whether in capitals or not, and why. All that the engine uses is here."""

MOST_BYTES = 4096
"""Of all variables of a function, as JSON: Lambda's message that they are too long quotes what it measures.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
OTHERS_BYTES = 1024
"""Kept for what no entry in [[jobs]] says: where the database is, and how to log in."""

NO_WAY = (
    "who reads the repository, a template or the function would have it: keep it in Secrets Manager, and read it with "
    "run.secret"
)


def why_taken(name: str) -> str | None:
    """Why no job can have a variable of this name; None if it can."""
    return next((why for names, why in TAKEN.items() if re.fullmatch(names, name.upper())), None)


def why_secret(name: str, value: str) -> str | None:
    """By what this looks like a secret; None if it does not."""
    if secret_by_name(name, value):
        return "by its name it is a secret"
    if called := secret_by_value(name, value):
        return f"its value looks like a secret ({called})"
    return None


def variable_mistakes(variables: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a job's variables, each with what to do. No value is in it, which may be a secret."""
    for name, value in variables.items():
        if not re.fullmatch(NAME, name):
            yield f"{json.dumps(name)}: write letters, digits and underscores, two or more, a letter first"
        elif why := why_taken(name):
            yield f"{name}: {why}: choose another name, or remove it"
        elif not value.isprintable():
            yield f"{name}: write one line, of what can be seen"
        elif why := why_secret(name, value):
            yield f"{name}: {why}: {NO_WAY}: remove it; {_if_it_is_none(name, value)}"


def _if_it_is_none(name: str, value: str) -> str:
    if secret_by_name(name, value):
        return f"if it is none, let its name say what it is, like {name}_NAME, _ARN or _URL"
    return "if it is none, write it in the job's module, or as a parameter"


def measured(variables: Mapping[str, str]) -> int:
    """How many bytes Lambda counts for these variables of a function."""
    return len(json.dumps(dict(variables), ensure_ascii=False, separators=(",", ":")).encode())
