"""Under which name a synthesis is kept: another one if anything that decides it is another."""

import sys
import sysconfig
from pathlib import Path

import pytest

from review import assemblies

PACKAGES = "aws-cdk-lib==2.0.0\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that needs the packages that are installed here: one."""
    for folder in ("here", "project"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "requirements.txt").write_text(PACKAGES)
    (tmp_path / "packages" / "aws_cdk_lib-2.0.0.dist-info").mkdir(parents=True)
    monkeypatch.setattr(assemblies, "ROOT", tmp_path / "here")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path / "packages"))
    return tmp_path / "project"


def test_another_tree_another_python_or_another_package_is_another_synthesis(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [assemblies._key("one", project)]
    assert assemblies._key("one", project) == names[0]
    names.append(assemblies._key("other", project))
    packages = Path(sysconfig.get_path("purelib"))
    (packages / "aws_cdk_lib-2.0.0.dist-info").rename(packages / "aws_cdk_lib-2.0.1.dist-info")
    names.append(assemblies._key("one", project))
    monkeypatch.setattr(sys, "version", "3.99")
    names.append(assemblies._key("one", project))
    (project / "requirements.txt").write_text("aws-cdk-lib==2.0.2\n")
    names.append(assemblies._key("one", project))
    assert len(set(names)) == len(names)


def test_what_is_installed_here_decides_nothing_where_other_packages_are_needed(project: Path) -> None:
    (project / "requirements.txt").write_text("aws-cdk-lib==2.0.2\n")
    name = assemblies._key("one", project)
    (Path(sysconfig.get_path("purelib")) / "another-1.0.dist-info").mkdir()
    assert assemblies._key("one", project) == name
