"""Commands of the AWS CLI, held against what the services' APIs have.

The CLI makes its commands, options and answers from the same models that botocore holds.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]  # it has no types
from botocore import xform_name
from botocore.exceptions import UnknownServiceError

GLOBAL = {"cli-binary-format", "cli-input-json", "cli-read-timeout", "output", "profile", "query", "region"}
"""Options of every command, as far as the documents use them.
https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html"""
OF_THE_CLI = {
    ("configure", "get"),
    ("configure", "sso"),
    ("ec2-instance-connect", "ssh"),
    ("rds", "generate-db-auth-token"),
    ("sso", "login"),
}
"""Commands of the CLI's own, which have no model."""
FILES = {"invoke": 1}
"""How many file names an operation takes for its answer."""
RECORDER = """#!/bin/sh
exec python3 - "$@" <<'END'
import json, sys
with open("recorded", "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
print("answer")
END
"""

SILENT = "#!/bin/sh\n[ -t 0 ] || cat > /dev/null\n"
OTHERS = ("cdk", "gh", "git", "jq", "make", "mysql", "sleep")


class ShellFailed(Exception):
    """A shell text didn't run to its end; the message is what the shell said."""


def recorded(shell: str, folder: Path, variables: Mapping[str, str]) -> list[list[str]]:
    """The arguments of each `aws` that `shell` runs: bash runs it, in `folder`, with a CLI that only writes them down.

    The other programs of the documents do nothing, so nothing reaches a network.

    Raises:
        ShellFailed: bash says why.
    """
    programs = folder / "bin"
    programs.mkdir()
    for name, text in {"aws": RECORDER, **dict.fromkeys(OTHERS, SILENT)}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", shell],
        cwd=folder,
        env={"PATH": f"{programs}:/usr/bin:/bin", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ShellFailed(f"{shell}\n{done.stderr}")
    file = folder / "recorded"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def mistakes(arguments: list[str], *, whole: bool = True) -> Iterator[str]:
    """What is wrong with `aws` and these arguments; `whole`: it has all that it needs, and is no mere mention."""
    service, operation, *rest = arguments
    if (service, operation) in OF_THE_CLI:
        return
    try:
        model = _session().get_service_model(service)
    except UnknownServiceError:
        yield f"there is no service {service}"
        return
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if operation == "wait":
        operation, *rest = rest
        operations = {xform_name(name, "-"): each["operation"] for name, each in _waiters(service).items()}
    if operation not in operations:
        yield f"aws {service} has no {operation}"
        return
    found = model.operation_model(operations[operation])
    members = {xform_name(name, "-"): each for name, each in found.input_shape.members.items()}
    files, options = _parsed(rest, members)
    required = {xform_name(name, "-") for name in found.input_shape.required_members}
    wrong = [
        *(f"there is no --{name}" for name in options if name not in GLOBAL | members.keys()),
        *(text for name, values in options.items() if name in members for text in _wrong_value(name, values, members)),
        *_wrong_query(options.get("query", []), found.output_shape),
    ]
    if whole:
        missing = required - options.keys() if "cli-input-json" not in options else set()
        wrong += [f"--{name} is missing" for name in sorted(missing)]
        wrong += [f"{files}: {FILES.get(operation, 0)} file names"] if len(files) != FILES.get(operation, 0) else []
    yield from (f"aws {service} {operation}: {text}" for text in wrong)


def _parsed(words: list[str], members: Mapping[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    """Plain words; and options with their values: none of a flag, all of a list, one of any other."""
    plain: list[str] = []
    options: dict[str, list[str]] = {}
    left = 0
    for word in words:
        if word.startswith("--"):
            name = word[2:] if word[2:] in GLOBAL | members.keys() else word[2:].removeprefix("no-")
            into = options.setdefault(name, [])
            left = {"boolean": 0, "list": len(words)}.get(getattr(members.get(name), "type_name", "string"), 1)
        elif left:
            into.append(word)
            left -= 1
        else:
            plain.append(word)
    return plain, options


def _wrong_value(name: str, values: list[str], members: Mapping[str, Any]) -> Iterator[str]:
    known = getattr(members[name], "enum", [])
    if members[name].type_name != "boolean" and not values:
        yield f"--{name} has no value"
    for value in values:
        if known and value not in known:
            yield f"--{name} is one of {', '.join(known)}, not {value}"


def _wrong_query(query: list[str], answer: Any) -> Iterator[str]:
    """Fields that --query asks for and the answer hasn't."""
    for text in query:
        asked = set(_asked(jmespath.compile(text).parsed))
        yield from (f"the answer has no {field}, which --query asks for" for field in sorted(asked - _fields(answer)))


def _asked(node: Mapping[str, Any]) -> Iterator[str]:
    if node["type"] == "field":
        yield node["value"]
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _asked(child)


def _fields(shape: Any, seen: frozenset[str] = frozenset()) -> set[str]:
    """All fields at any depth."""
    if shape is None or shape.name in seen:
        return set()
    seen |= {shape.name}
    if shape.type_name == "structure":
        return set(shape.members).union(*(_fields(member, seen) for member in shape.members.values()))
    return _fields(shape.member, seen) if shape.type_name == "list" else set()


@cache
def _session() -> Any:
    return botocore.session.Session()


@cache
def _waiters(service: str) -> dict[str, Any]:
    found: dict[str, Any] = _session().get_component("data_loader").load_service_model(service, "waiters-2")["waiters"]
    return found
