"""Checks of the source of a job's module, before any of it is executed."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from packages.locks import packages_of
from settings.project import ENGINE

CLIENTS = {"client": "botocore.session", "http": "urllib3"}
"""What a run makes with a package that the job brings along, and the module of that which it imports for it."""


def broken_promises(tree: ast.Module, job: Path) -> Iterator[str]:
    """Every mistake that the source of a job's module shows, and what to write.

    The module, `job`, may import those beside it, and what the packages provide that are locked for it.

    Raises:
        packages.requirements.PackagesError: these packages are not as they should be.
        ValueError: one of the modules beside it is not Python.
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
    if defined >= {"USES", "uses"}:
        yield "has both USES and uses(): keep one"
    sources = _with_those_beside(tree, job)
    yield from _unmet(sources.values(), job, stated=bool(defined & {"USES", "uses"}))
    missing_by_file = {file: _missing(imports(source.body), job) for file, source in sources.items()}
    named = (
        name if file == job else f"{name} (in lambda/jobs/{file.name})"
        for file, names in missing_by_file.items()
        for name in names
    )
    if missing := ", ".join(sorted(named)):
        yield (
            f"imports {missing}, not in the function's zip: import only PyMySQL, the standard library, mysql_jobs, the "
            "modules of lambda/jobs/ and packages that are locked: write the package into lambda/requirements.txt "
            f"(for this job alone: lambda/jobs/{job.stem}.txt), and make lock"
        )


def _unmet(sources: Collection[ast.Module], job: Path, *, stated: bool) -> Iterator[str]:
    """What the job asks its run for, as in run.client, that is not there."""
    asked = _asked(sources)
    if asked and not stated:
        of_run = " and ".join(f"run.{each}" for each in sorted(asked))
        yield f'asks for {of_run}, and has no USES: write what it uses, like {{"secret": ("billing-api",)}}'
    for each in sorted(asked & CLIENTS.keys()):
        packages = packages_of(job)
        if packages is None or not packages.provides(CLIENTS[each]):
            yield (
                f"asks for run.{each}, which is made by {package(CLIENTS[each])}: write that into "
                f"lambda/jobs/{job.stem}.txt, and make lock"
            )


def _asked(sources: Collection[ast.Module]) -> set[str]:
    """What the job asks its run for besides the database."""
    return {
        node.attr
        for source in sources
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "run"
    } & {"secret", *CLIENTS}


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
    """Return what the job of the module `job` imports, also by the modules beside it and by what it asks a run for."""
    sources = _with_those_beside(ast.parse(job.read_text()), job).values()
    made = {CLIENTS[each] for each in _asked(sources) & CLIENTS.keys()}
    return made.union(*(imports(each.body) for each in sources))


def package(module: str) -> str:
    """Return the top-level package of a module; empty for a relative one."""
    return module.partition(".")[0]


def _takes_one(arguments: ast.arguments) -> bool:
    """Return whether a function can be called with one positional argument alone."""
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    return required <= 1 and (positional > 0 or arguments.vararg is not None) and None not in arguments.kw_defaults


def _with_those_beside(tree: ast.Module, job: Path) -> dict[Path, ast.Module]:
    """Return the module of the job, and those in its folder that are imported with it: they run in its function, too.

    Raises:
        ValueError: one of these is not Python.
    """
    found = {job: tree}
    waiting = [job.with_name("__init__.py"), *_beside(tree, job.parent)]
    while waiting:
        file = waiting.pop()
        if file not in found and file.is_file():
            try:
                found[file] = ast.parse(file.read_text())
            except SyntaxError as error:
                raise ValueError(f"lambda/jobs/{file.name} is not Python: line {error.lineno}: {error.msg}") from error
            waiting += _beside(found[file], job.parent)
    return found


def _beside(tree: ast.Module, jobs: Path) -> list[Path]:
    """Return the files that `tree` imports from the folder `jobs`, whether they are there or not."""
    names = {each.lstrip(".").removeprefix("jobs.") for each in imports(tree.body) if package(each) in ("", "jobs")}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module, node.level) == ("jobs", 0):
            names |= {alias.name for alias in node.names}
    return [jobs / f"{name}.py" for name in sorted(names)]


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
