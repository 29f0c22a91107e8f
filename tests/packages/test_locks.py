"""What a team asks for is what is locked, and what is locked is what a job gets; else it is said what to do."""

from pathlib import Path

import pytest

from packages.requirements import PackagesError, requirements
from packages.target import FUNCTION, HERE, Target
from settings.files import SettingsError, load_environments
from settings.job_module import read_job_module
from settings.project import Project
from tests.fixture import PROJECT
from tests.packages.conftest import JOB
from tests.packages.wheels import Files, elf, lock, make_wheel


def _ask(project: Project, text: str, *, job: str | None = None) -> None:
    file = project.jobs.parent / "requirements.txt" if job is None else project.jobs / f"{job}.txt"
    file.write_text(text)


def test_jobs_without_requirements_have_no_packages(project: Project) -> None:
    assert project.packages("report") is None
    _ask(project, "# None yet.\n\n")
    assert project.packages("report") is None


def test_all_jobs_have_what_all_ask_for_and_a_heavy_one_more(project: Project, store: Path) -> None:
    tiny, heavy = make_wheel(store, "tiny"), make_wheel(store, "heavy", "2.1")
    _ask(project, "tiny>=1  # for dates\n")
    lock(project.jobs, [tiny])
    _ask(project, "heavy\n", job="report")
    lock(project.jobs, [tiny, heavy], job="report")
    plain, report = project.packages("plain"), project.packages("report")
    assert plain
    assert report
    assert plain.versions == {"tiny": "1.0"}
    assert report.versions == {"heavy": "2.1", "tiny": "1.0"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-r other.txt", "'-r other.txt' is no package: write its name and its versions, like requests>=2.32,<3"),
        ("--extra-index-url https://example.com", "is no package"),
        ("tiny=1", "is no package"),
        ("tiny @ https://example.com/tiny.whl", "is an address: write a name and versions"),
        ("PyMySQL==1.0", "PyMySQL is in every function already, .*: remove the line"),
        ("py_mysql>1\npymysql[rsa]", "requirements.txt:2: PyMySQL is in every function already"),
    ],
)
def test_a_line_that_is_no_plain_requirement_is_refused(line: str, message: str, project: Project) -> None:
    _ask(project, line)
    with pytest.raises(PackagesError, match=rf"lambda/requirements\.txt:\d: .*{message}|{message}"):
        requirements(project.jobs.parent / "requirements.txt")


def test_requirements_without_a_lock_are_named(project: Project) -> None:
    _ask(project, "tiny")
    with pytest.raises(PackagesError, match=r"^lambda/requirements\.txt has no requirements\.lock .*: make lock$"):
        project.packages("report")
    _ask(project, "")
    _ask(project, "tiny", job="report")
    with pytest.raises(PackagesError, match=r"^lambda/jobs/report\.txt has no report\.lock .*: make lock$"):
        project.packages("report")
    assert project.packages("plain") is None


@pytest.mark.parametrize("changed", ["tiny>=2", "tiny\nother", ""])
def test_a_lock_of_other_requirements_is_named(changed: str, project: Project, store: Path) -> None:
    _ask(project, "tiny")
    lock(project.jobs, [make_wheel(store, "tiny")])
    _ask(project, changed)
    message = r"^lambda/requirements\.lock is not of what is in lambda/requirements\.txt now: make lock$"
    with pytest.raises(PackagesError, match=message):
        project.packages("report")


def test_a_lock_of_a_jobs_own_is_of_what_all_ask_for_too(project: Project, store: Path) -> None:
    _ask(project, "tiny", job="report")
    lock(project.jobs, [make_wheel(store, "tiny")], job="report")
    assert project.packages("report")
    _ask(project, "other")
    with pytest.raises(
        PackagesError, match=r"report\.lock is not of .* lambda/requirements\.txt and lambda/jobs/report\.txt"
    ):
        project.packages("report")


def test_a_machine_that_nothing_is_locked_for_is_named(project: Project, store: Path) -> None:
    _ask(project, "tiny")
    lock(project.jobs, [make_wheel(store, "tiny")])
    elsewhere = Project(project.folder, target=Target("3.9", "riscv64"))
    with pytest.raises(PackagesError, match=r"has nothing for Python 3\.9 on riscv64: .* make lock$"):
        elsewhere.packages("report")
    assert Project(project.folder, target=HERE).packages("report")


@pytest.mark.parametrize("text", ["", "requirements = [", "requirements = []\nwheels = 1", "<<<<<<< HEAD"])
def test_what_is_no_lock_is_named(text: str, project: Project) -> None:
    _ask(project, "tiny")
    (project.jobs.parent / "requirements.lock").write_text(text)
    with pytest.raises(PackagesError, match=r"^lambda/requirements\.lock is no lock: .*: make lock$"):
        project.packages("report")


def test_a_synth_names_each_mistake_once_however_many_jobs_there_are(project: Project) -> None:
    _ask(project, "tiny")
    _ask(project, "-e .", job="plain")
    project.environments.mkdir()
    settings = (PROJECT.environments / "basic.toml").read_text().partition("[[jobs]]")[0]
    for name in ("one", "two"):
        jobs = "".join(f'[[jobs]]\nname = "{job}"\nschedule = "rate(1 hour)"\n' for job in ("report", "plain"))
        (project.environments / f"{name}.toml").write_text(settings + jobs)
    with pytest.raises(SettingsError) as caught:
        load_environments(project)
    assert [line.partition(" ")[0] for line in str(caught.value).splitlines()] == [
        "lambda/jobs/plain.txt:1:",
        "lambda/requirements.txt",
    ]


MODULES: Files = {
    "tiny/__init__.py": "",
    "tiny/parts/deep.py": "",
    "single.py": "",
    "shared/ours/__init__.py": "",
    "fast.cpython-314-aarch64-linux-gnu.so": elf(183),
    "tiny-1.0.data/purelib/moved/__init__.py": "",
    "tiny-1.0.data/headers/header.py": "",
    "data/numbers.csv": "1",
}


@pytest.mark.parametrize(
    "statement",
    [
        "import tiny",
        "from tiny.whatever import it_makes_itself",
        "import single, fast",
        "import shared.ours.more",
        "from shared.ours import x",
        "import moved",
        "from tiny import *",
    ],
)
def test_a_job_may_import_what_is_in_its_wheels(statement: str, project: Project, store: Path) -> None:
    _ask(project, "tiny", job="report")
    lock(project.jobs, [make_wheel(store, "tiny", files=MODULES)], job="report")
    project.job_file("report").write_text(JOB.format(imports=statement))
    assert read_job_module(project.job_file("report")).description == "Reports."


@pytest.mark.parametrize(
    ("statement", "module"),
    [
        ("import other", "other"),
        ("import shared.theirs", "shared.theirs"),
        ("import header", "header"),
        ("import data", "data"),
        ("import jobs.nothing", "jobs.nothing"),
    ],
)
def test_a_job_may_import_nothing_else(statement: str, module: str, project: Project, store: Path) -> None:
    _ask(project, "tiny", job="report")
    lock(project.jobs, [make_wheel(store, "tiny", files=MODULES)], job="report")
    project.job_file("report").write_text(JOB.format(imports=statement))
    with pytest.raises(ValueError, match=rf"imports {module}, .* lambda/jobs/report\.txt\), and make lock$"):
        read_job_module(project.job_file("report"))


def test_what_another_job_asks_for_a_job_may_not_import(project: Project, store: Path) -> None:
    _ask(project, "tiny", job="report")
    lock(project.jobs, [make_wheel(store, "tiny")], job="report")
    project.job_file("plain").write_text(JOB.format(imports="import tiny"))
    with pytest.raises(ValueError, match=r"imports tiny, .* \(for this job alone: lambda/jobs/plain\.txt\)"):
        read_job_module(project.job_file("plain"))


def test_a_job_is_read_without_importing_its_packages(project: Project, store: Path) -> None:
    _ask(project, "tiny")
    lock(project.jobs, [make_wheel(store, "tiny", files={"tiny.py": "raise SystemExit('imported')\n"})])
    project.job_file("report").write_text(JOB.format(imports="import tiny\n\nLIMIT = tiny.MANY"))
    assert read_job_module(project.job_file("report")).read_rights(None) == {"report": {"SELECT"}}


def test_rights_that_a_package_decides_are_refused(project: Project, store: Path) -> None:
    _ask(project, "tiny")
    lock(project.jobs, [make_wheel(store, "tiny")])
    source = JOB.format(imports="import tiny").replace('"report":', "tiny.TABLE:")
    project.job_file("report").write_text(source)
    with pytest.raises(ValueError, match="may use the standard library only, not tiny"):
        read_job_module(project.job_file("report"))


def test_the_functions_python_is_the_deployed_one() -> None:
    assert str(FUNCTION) == "Python 3.14 on aarch64"


@pytest.mark.parametrize(("asked", "package"), [("client('s3')", "botocore"), ("http", "urllib3")])
def test_what_a_run_makes_with_a_package_it_makes_with_the_locked_one(
    asked: str, package: str, project: Project, store: Path
) -> None:
    job = project.job_file("report")
    job.write_text(JOB.format(imports="USES = {}").replace("return None", f"return run.{asked}"))
    with pytest.raises(ValueError, match=f"which is made by {package}: write that into lambda/jobs/report.txt, and ma"):
        read_job_module(job)
    _ask(project, f"{package}\n", job="report")
    lock(project.jobs, [make_wheel(store, package)], job="report")
    assert read_job_module(job).description == "Reports."
