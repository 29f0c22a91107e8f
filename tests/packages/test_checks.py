"""A set of packages that would fail in a function, and only there, is refused before anything is deployed."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from packages import checks
from packages.checks import check, size
from packages.locks import PackageSet
from packages.requirements import PackagesError
from packages.target import FUNCTION, HERE, Target
from settings.files import SettingsError
from settings.project import Project
from stacks.jobs.code import function_code
from tests.packages.wheels import AARCH64, PURE, X86_64, Files, compiled_for, elf, lock, make_wheel

OTHER_MACHINE = Target(FUNCTION.python, "x86_64")


def _packages(project: Project, *wheels: Path) -> PackageSet:
    (project.jobs.parent / "requirements.txt").write_text("tiny\n")
    lock(project.jobs, wheels)
    packages = project.packages("report")
    assert packages
    return packages


@pytest.mark.parametrize(
    "tag",
    [
        PURE,
        "py2.py3-none-any",
        compiled_for(FUNCTION),
        "cp39-abi3-manylinux2014_aarch64",
        "cp314-cp314-manylinux_2_17_aarch64.manylinux2014_aarch64",
        "py3-none-manylinux_2_34_aarch64",
    ],
)
def test_a_wheel_for_the_function_is_right(tag: str, project: Project, store: Path) -> None:
    files: Files = {"tiny/__init__.py": "", "tiny/fast.so": elf(AARCH64)}
    check(_packages(project, make_wheel(store, "tiny", files=files, tag=tag)))


@pytest.mark.parametrize(
    "tag",
    [
        compiled_for(OTHER_MACHINE),
        compiled_for(Target("3.13", "aarch64")),
        "cp314-cp314t-manylinux_2_28_aarch64",
        "cp315-abi3-manylinux_2_28_aarch64",
        "cp314-cp314-manylinux_2_39_aarch64",
        "cp314-cp314-musllinux_1_2_aarch64",
        "cp314-cp314-macosx_11_0_arm64",
        "py2-none-any",
    ],
)
def test_a_wheel_for_something_else_is_refused(tag: str, project: Project, store: Path) -> None:
    packages = _packages(project, make_wheel(store, "tiny", tag=tag))
    with pytest.raises(
        PackagesError, match=rf"requirements\.lock: tiny-1\.0-{tag}\.whl is not for Python 3\.14 on aarch64"
    ):
        check(packages)


@pytest.mark.parametrize("machine", [X86_64, 243])
def test_code_for_another_machine_is_refused_whatever_its_wheel_is_named(
    machine: int, project: Project, store: Path
) -> None:
    files: Files = {"tiny/__init__.py": "", "tiny/libs/libm.so.6": elf(AARCH64), "tiny/data/tool": elf(machine)}
    packages = _packages(project, make_wheel(store, "tiny", files=files))
    with pytest.raises(PackagesError, match=r"tiny/data/tool in tiny-1\.0-\S+\.whl is compiled for .* aarch64: "):
        check(packages)


def test_code_for_this_machine_is_right_on_this_machine(project: Project, store: Path) -> None:
    files = {"tiny/fast.so": elf({"x86_64": X86_64, "aarch64": AARCH64}[HERE.machine])}
    check(_packages(project, make_wheel(store, "tiny", files=files, tag=compiled_for(HERE))), HERE)


def test_a_missing_wheel_is_named(project: Project, store: Path) -> None:
    wheel = make_wheel(store, "tiny")
    packages = _packages(project, wheel)
    wheel.unlink()
    with pytest.raises(PackagesError, match=r"tiny-1\.0-py3-none-any\.whl is not in \.venv/wheels: make setup$"):
        check(packages)


def test_a_wheel_that_was_changed_is_refused_at_each_bundling(project: Project, store: Path, tmp_path: Path) -> None:
    wheel = make_wheel(store, "tiny")
    packages = _packages(project, wheel)
    make_wheel(store, "tiny", files={"tiny/__init__.py": "raise SystemExit('changed')"})
    with pytest.raises(PackagesError, match=r"tiny-1\.0-.* was changed, .* && make setup$"):
        check(packages)
    with pytest.raises(PackagesError, match="was changed"):
        packages.wheels[0].unpack(tmp_path / "code")


@pytest.mark.parametrize("module", ["mysql_jobs", "jobs", "settings", "pymysql", "migrations"])
@pytest.mark.parametrize("file", ["{}.py", "{}/__init__.py", "{}/deep/down.py", "{}.cpython-314-aarch64-linux-gnu.so"])
def test_a_package_in_the_place_of_the_engines_own_is_refused(
    module: str, file: str, project: Project, store: Path
) -> None:
    packages = _packages(project, make_wheel(store, "tiny", files={file.format(module): b""}))
    with pytest.raises(PackagesError, match=rf"tiny has a module {module}, which would take the place of the engine's"):
        check(packages)


def test_a_package_in_the_place_of_pythons_own_is_refused(project: Project, store: Path) -> None:
    packages = _packages(project, make_wheel(store, "tiny", files={"dataclasses.py": ""}))
    with pytest.raises(PackagesError, match="module dataclasses, which would take the place of Python's own"):
        check(packages)


@pytest.mark.parametrize(
    ("files", "collide"),
    [
        ({"common/__init__.py": "A = 1"}, True),
        ({"common/__init__.py": "A = 2"}, False),
        ({"common-1.0.data/purelib/common/__init__.py": "A = 1"}, True),
        ({"common/more.py": "A = 1"}, False),
    ],
)
def test_two_packages_with_one_file_are_refused_if_it_differs(
    files: Mapping[str, str], collide: bool, project: Project, store: Path
) -> None:
    first = make_wheel(store, "first", files={"common/__init__.py": "A = 2"})
    packages = _packages(project, first, make_wheel(store, "second", files=files))
    if not collide:
        check(packages)
        return
    with pytest.raises(PackagesError, match=r"both first and second have a file common/__init__\.py: do without one"):
        check(packages)


def test_more_than_lambda_takes_is_refused(project: Project, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = _packages(project, make_wheel(store, "tiny", files={"tiny/data": bytes(600_000)}))
    monkeypatch.setattr(checks, "MOST_BYTES", 1_500_000)
    with pytest.raises(PackagesError, match=r"packages have 1 MB unzipped, Lambda takes .* Largest: tiny 1 MB$"):
        check(packages)


def test_a_size_is_that_of_what_is_unpacked(project: Project, store: Path, tmp_path: Path) -> None:
    files = {"tiny/data": b"x" * 1000, "tiny-1.0.data/headers/tiny.h": b"x" * 1000}
    packages = _packages(project, make_wheel(store, "tiny", files=files))
    packages.wheels[0].unpack(tmp_path / "code")
    unpacked = sum(file.stat().st_size for file in (tmp_path / "code").rglob("*") if file.is_file())
    assert size(packages) == (unpacked, unpacked)


@pytest.mark.parametrize("place", ["../outside.py", "/outside.py", "tiny/../../outside.py"])
def test_a_file_outside_of_the_wheel_is_refused(place: str, project: Project, store: Path, tmp_path: Path) -> None:
    packages = _packages(project, make_wheel(store, "tiny", files={place: ""}))
    with pytest.raises(PackagesError, match="outside of itself"):
        packages.wheels[0].unpack(tmp_path / "code")
    assert not (tmp_path / "outside.py").exists()


def test_a_synth_says_so_before_it_bundles(project: Project, store: Path) -> None:
    packages = _packages(project, make_wheel(store, "tiny", tag=compiled_for(OTHER_MACHINE)))
    with pytest.raises(SettingsError, match=r"is not for Python 3\.14 on aarch64"):
        function_code(project, "eu-central-1", packages=packages)
