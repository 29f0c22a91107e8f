"""A mutant put into the modules of this process, where all who have imported them meet it.

A function keeps its identity and gets the mutant's code. A constant is bound anew wherever it was imported to; a class
gets what the mutant's class has instead, but for its methods.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from lab.mutators import Mutant

BELONGS_TO_THE_CLASS = {"__dict__", "__weakref__", "__module__", "__doc__", "__annotations__", "__qualname__"}


def transplant(mutant: Mutant, module: ModuleType) -> None:
    """Put `mutant` into `module`, for the rest of this process.

    Raises:
        ImportError: nobody could import the mutant, so every test fails.
        ValueError: the module has no such function, or its code can't be replaced.
    """
    mutated = ModuleType(module.__name__)
    mutated.__file__ = module.__file__
    try:
        exec(mutant.code, vars(mutated))  # noqa: S102 (the code of this project)
    except Exception as error:
        raise ImportError(f"the mutant can't be imported: {error!r}") from error
    match mutant.reach:
        case "function":
            old, new = (_function(_member(each, mutant.place)) for each in (module, mutated))
            old.__code__ = new.__code__
            if old.__defaults__ != new.__defaults__:
                old.__defaults__ = new.__defaults__
            if old.__kwdefaults__ != new.__kwdefaults__:
                old.__kwdefaults__ = new.__kwdefaults__
        case "decorator":
            holder, name = _holder(module, mutant.place)
            _bind(holder, name, _undecorated(vars(holder)[name]))
        case "class":
            _change_class(getattr(module, mutant.place), getattr(mutated, mutant.place), str(module.__file__))
        case "constant":
            for name in dependents(module, mutant.place):
                _bind(module, name, getattr(mutated, name))


def dependents(module: ModuleType, constant: str) -> list[str]:
    """Return `constant`, which may be several in one assignment, and the module's others that are made of it."""
    names = _named(ast.parse(constant))
    for node in ast.parse(Path(str(module.__file__)).read_text()).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if names & _named(node.value):
                names |= _named(target)
    return sorted(names)


def _named(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def forget_caches(modules: list[ModuleType]) -> None:
    """Empty what functools.cache keeps in these modules: a call that is answered from there runs nothing."""
    for module in modules:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def place_of(code: CodeType) -> str:
    """Return the function or method that this code is, or is in."""
    return code.co_qualname.partition(".<locals>")[0]


def places_naming(module: ModuleType, names: set[str]) -> Iterator[str]:
    """Yield the functions and methods of a module that have one of these names in their code."""
    for place, function in _functions(module):
        if names & set(_names(function.__code__)):
            yield place


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for owner in (module, *(value for value in vars(module).values() if inspect.isclass(value))):
        for value in vars(owner).values():
            try:
                function = _function(value)
            except ValueError:
                continue
            if function.__code__.co_filename == module.__file__:
                yield place_of(function.__code__), function


def _holder(module: ModuleType, place: str) -> tuple[Any, str]:
    owner, _, name = place.rpartition(".")
    return (getattr(module, owner) if owner else module), name


def _member(module: ModuleType, place: str) -> object:
    holder, name = _holder(module, place)
    return vars(holder)[name]


def _function(value: Any) -> FunctionType:
    """The function inside of its decorators."""
    while not isinstance(value, FunctionType) or hasattr(value, "__wrapped__"):
        value = _undecorated(value)
    return value


def _undecorated(value: Any) -> Any:
    for name in ("__wrapped__", "__func__", "fget"):
        if (inner := getattr(value, name, None)) is not None:
            return inner
    raise ValueError(f"{value!r} is no function")


def _change_class(old: type, new: type, file: str) -> None:
    for name in (vars(old).keys() | vars(new).keys()) - BELONGS_TO_THE_CLASS:
        try:
            if _function(vars(old).get(name, vars(new).get(name))).__code__.co_filename == file:
                continue  # its code is the same, and its super() means the class where it was made
        except ValueError:
            pass  # no function
        if name in vars(new):
            setattr(old, name, vars(new)[name])
        else:
            delattr(old, name)


def _bind(holder: Any, name: str, value: object) -> None:
    """Bind a name anew; a module's, in all modules that have imported it, too."""
    old = vars(holder)[name]
    setattr(holder, name, value)
    if isinstance(holder, ModuleType):
        for module in list(sys.modules.values()):
            for known, what in list(vars(module).items()) if isinstance(module, ModuleType) else ():
                if known == name and what is old:
                    setattr(module, name, value)
