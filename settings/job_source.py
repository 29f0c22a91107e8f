"""Checks of the source of a job's module, before any of it is executed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from packages.locks import packages_of
from settings.project import ENGINE


def broken_promises(tree: ast.Module, job: Path) -> Iterator[str]:
    """Every mistake that the source of a job's module shows, and what to write.

    The module, `job`, may import those beside it, and what the packages provide that are locked for it.

    Raises:
        packages.requirements.PackagesError: these packages are not as they should be.
    """
    defined = set().union(*map(binds, tree.body))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run"]
    if not functions:
        yield "has no function run(run): write one"
    elif not _takes_one(functions[-1].args):
        yield f"has run({ast.unparse(functions[-1].args)}), but it is called with the run alone: write run(run)"
    if not ast.get_docstring(tree):
        yield "has no docstring: write what the job does, for the dashboard"
    if not defined & {"TABLES", "tables"}:
        yield 'has no TABLES: write what it needs, like {"event": ("SELECT",)}'
    if defined >= {"TABLES", "tables"}:
        yield "has both TABLES and tables(): keep one"
    if missing := ", ".join(sorted(_missing(imports(tree.body), job))):
        yield (
            f"imports {missing}, not in the function's zip: import only PyMySQL, the standard library, mysql_jobs, the "
            "modules of lambda/jobs/ and packages that are locked: write the package into lambda/requirements.txt "
            f"(for this job alone: lambda/jobs/{job.stem}.txt), and make lock"
        )


def binds(statement: ast.stmt) -> set[str]:
    """Return the names that a top-level statement defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    bound = set()
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                bound.add(name)
            case ast.alias(name=name, asname=alias):
                bound.add(alias or name.partition(".")[0])
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
    return bound


def imports(statements: Collection[ast.stmt]) -> set[str]:
    """Return the modules that the statements import, at any depth, as written: pymysql.cursors, .rollup."""
    found = set()
    for node in (node for each in statements for node in ast.walk(each)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=None, names=names, level=level):
                found |= {"." * level + alias.name for alias in names}
            case ast.ImportFrom(module=module, level=level):
                found.add("." * level + str(module))
    return found


def imported(job: Path) -> set[str]:
    """Return what the job of the module `job` imports, as written."""
    return imports(ast.parse(job.read_text()).body)


def package(module: str) -> str:
    """Return the top-level package of a module; empty for a relative one."""
    return module.partition(".")[0]


def _takes_one(arguments: ast.arguments) -> bool:
    """Return whether a function can be called with one positional argument alone."""
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    return required <= 1 and (positional > 0 or arguments.vararg is not None) and None not in arguments.kw_defaults


def _missing(modules: Collection[str], job: Path) -> set[str]:
    """Return those of the modules that the function's zip does not contain: see stacks/jobs/bundle.py."""
    folders = {"mysql_jobs": ENGINE, "jobs": job.parent}
    own = {f"{name}.{file.stem}" for name, folder in folders.items() for file in folder.glob("[!.]*.py")} | set(folders)
    others = {each for each in modules if package(each) not in {*sys.stdlib_module_names, "pymysql"}}
    foreign = {each for each in others if (f"jobs{each}" if each.startswith(".") else each) not in own}
    locked = packages_of(job)
    if locked is None:
        return foreign
    return {each for each in foreign if package(each) in folders or not locked.provides(each)}
