"""What synth reads from a job's module: its description, the parameters it takes, the rights it needs, what it uses.

The module is not imported, as some of its imports exist only in the function. Only the statements that Parameters,
TABLES and tables(), USES and uses() need are executed.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from settings.job_source import binds, broken_promises, imports, package
from settings.table_name import wrong_table
from settings.uses import Uses, read_uses

READ = frozenset({"Parameters", "TABLES", "tables", "USES", "uses"})
"""The names in a job's module that synth reads."""

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
"""The rights that a job may state: the jobs' user changes rows, never tables."""

Rights = Mapping[str, frozenset[str]]
"""Per table, what a job may do with its rows."""


@dataclass(frozen=True, kw_only=True)
class JobModule:
    """The parts of a job's module that concern what is deployed."""

    file: str
    description: str
    """The first sentence of the docstring."""
    parameters: type | None
    """The dataclass that types the job's parameters; None if it takes none."""
    tables: Callable[[Any], object]
    """From the parameters, the rights as the module states them; `read_rights` checks them."""
    uses: Callable[[Any], object]
    """From the parameters, what else it uses as the module states it; `read_uses` checks it."""

    def read_parameters(self, values: Mapping[str, Any]) -> Any:
        """Return the job's `Parameters` with these `values` of an environment file; None if the job takes none.

        Raises:
            pydantic.ValidationError: values are missing, unknown or wrong; each with its place in `values`.
            ValueError: the job takes no parameters, or a value has a type that parameters can't have.
        """
        if self.parameters is None:
            if values:
                raise ValueError(f"{self.file} defines no Parameters: remove them, or write the dataclass")
            return None
        # JSON, which is also how the function gets them, has lists only: strict, and yet they are tuples.
        text = json.dumps(values, default=_refuse)
        try:
            return TypeAdapter(self.parameters).validate_json(text)
        except ValidationError:
            raise
        except Exception as error:  # the job's own __post_init__ may raise anything
            raise ValueError(f"{self.file}: Parameters raised {error!r}: raise a ValueError instead") from error

    def read_rights(self, parameters: Any) -> Rights:
        """Return the rights that the job needs with these `parameters`.

        Raises:
            ValueError: the module states something else than rights to the team's tables.
        """
        try:
            tables = self.tables(parameters)
        except Exception as error:  # the job's own function may raise anything
            raise ValueError(f"{self.file}: tables(parameters) raised {error!r}: correct it") from error
        if not isinstance(tables, dict):
            raise ValueError(f'{self.file} states the rights {tables!r}: write a dict like {{"event": ("SELECT",)}}')
        _raise_any(f"{self.file} states wrong rights:", _wrong_rights(tables))
        return {table: frozenset(rights) for table, rights in tables.items()}

    def read_uses(self, parameters: Any) -> Uses:
        """Return what the job uses besides its database, with these `parameters`.

        Raises:
            ValueError: the module states something else.
        """
        try:
            stated = self.uses(parameters)
        except Exception as error:  # the job's own function may raise anything
            raise ValueError(f"{self.file}: uses(parameters) raised {error!r}: correct it") from error
        try:
            return read_uses(stated)
        except ValueError as error:
            raise ValueError(f"{self.file} states wrong USES: {error}") from error


def read_job_module(path: Path) -> JobModule:
    """Read the module in `path`.

    Raises:
        ValueError: it is no job, or its packages are not as they should be; the message says what to write.
    """
    file = f"lambda/jobs/{path.name}"
    try:
        tree = ast.parse(path.read_text())
    except SyntaxError as error:
        raise ValueError(f"{file} is not Python: line {error.lineno}: {error.msg}") from error
    _raise_any(file, broken_promises(tree, path))
    module = _execute(file, _needed(tree.body))
    _raise_any(file, _wrong_types(module))
    _make_strict(module)
    stated = vars(module)
    job = JobModule(
        file=file,
        description=_first_sentence(ast.get_docstring(tree) or ""),
        parameters=stated.get("Parameters"),
        tables=stated.get("tables", lambda _parameters: stated["TABLES"]),
        uses=stated.get("uses", lambda _parameters: stated.get("USES", {})),
    )
    if "TABLES" in stated:
        job.read_rights(None)
    if "USES" in stated:
        job.read_uses(None)
    return job


def _refuse(value: object) -> NoReturn:
    raise ValueError(f"{value} is a {type(value).__name__}: write it in quotes")


def _raise_any(subject: str, mistakes: Iterator[str]) -> None:
    if found := "; ".join(mistakes):
        raise ValueError(f"{subject} {found}")


def _first_sentence(docstring: str) -> str:
    paragraph = " ".join(docstring.partition("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) ", paragraph, maxsplit=1)[0]


def _needed(statements: Collection[ast.stmt]) -> list[ast.stmt]:
    """Return the top-level statements that define the names in READ, and those that these refer to, and so on."""
    names: Collection[str] = READ
    while True:
        needed = [each for each in statements if binds(each) & set(names) or _is_future(each)]
        loaded = {node.id for each in needed for node in ast.walk(each) if isinstance(node, ast.Name)}
        if loaded <= set(names):
            return needed
        names = loaded | set(names)


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _execute(file: str, statements: list[ast.stmt]) -> ModuleType:
    foreign = ", ".join(sorted(each for each in imports(statements) if package(each) not in sys.stdlib_module_names))
    if foreign:
        raise ValueError(
            f"{file}: Parameters, TABLES, tables(), USES and uses() may use the standard library only, not {foreign}"
        )
    module = ModuleType(f"_job_{Path(file).stem}")
    # Where dataclasses and pydantic look up what an annotation names.
    sys.modules[module.__name__] = module
    try:
        code = compile(ast.Module(body=statements, type_ignores=[]), file, "exec", dont_inherit=True)
        exec(code, vars(module))  # noqa: S102 - the repository's own code
    except Exception as error:  # and it may raise anything
        raise ValueError(
            f"{file}: Parameters, TABLES, tables(), USES and uses() can't be read: {error!r}: correct them"
        ) from error
    return module


def _wrong_types(module: ModuleType) -> Iterator[str]:
    if "Parameters" in vars(module) and not is_dataclass(module.Parameters):
        yield "has a Parameters that is no dataclass: write @dataclass(frozen=True, kw_only=True) above it"
    for kind in _dataclasses(module):
        yield from _wrong_fields(kind)


def _wrong_fields(kind: Any) -> Iterator[str]:
    if not kind.__dataclass_params__.frozen or not all(field.kw_only for field in fields(kind)):
        yield f"has a {kind.__name__} that may change: write @dataclass(frozen=True, kw_only=True) above it"
    untyped = _untyped(kind)
    for name, value in untyped.items():
        yield (
            f"has a {kind.__name__}.{name} without a type, so it is no field: "
            f"write {name}: {type(value).__name__} = {value!r}"
        )
    if not fields(kind) and not untyped:
        yield f"has a {kind.__name__} without fields: write one, like most: int = 5000, or remove the class"
    try:
        types = get_type_hints(kind)
    except NameError as error:
        yield f"has a {kind.__name__} whose annotations can't be read: {error}: write them without quotes"
        return
    for field in fields(kind):
        if not _is_plain(types[field.name]):
            yield (
                f"has a {kind.__name__}.{field.name} that is {inspect.formatannotation(types[field.name])}: "
                "write int, float, bool, str, a Literal, tuple[X, ...], X | None or a dataclass of this file"
            )


def _untyped(kind: type) -> dict[str, object]:
    """Return the values that the class assigns to names without a type."""
    return {
        name: value
        for name, value in vars(kind).items()
        if not name.startswith("_") and name not in inspect.get_annotations(kind)
        # not methods, properties and classes
        if not (hasattr(value, "__get__") or isinstance(value, type))
    }


def _is_plain(kind: Any) -> bool:
    """Return whether lambda/mysql_jobs/parameters.py can make it from JSON."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return len(arguments) == 2 and arguments[1] is ... and _is_plain(arguments[0])
    if origin in (Union, UnionType):
        return len(arguments) == 2 and NoneType in arguments and all(map(_is_plain, set(arguments) - {NoneType}))
    return kind in (int, float, bool, str) or origin is Literal or is_dataclass(kind)


def _make_strict(module: ModuleType) -> None:
    for kind in _dataclasses(module):
        kind.__pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def _dataclasses(module: ModuleType) -> list[Any]:
    return [each for each in vars(module).values() if isinstance(each, type) and is_dataclass(each)]


def _wrong_rights(tables: Mapping[object, object]) -> Iterator[str]:
    for table, rights in tables.items():
        if wrong := wrong_table(table):
            yield f"{table!r}: {wrong}"
        if not (isinstance(rights, tuple) and rights and all(right in RIGHTS for right in rights)):
            yield f'{table!r} has {rights!r}: write a tuple of {", ".join(RIGHTS)}, like ("SELECT",)'
