"""Cold starts: what is imported, and how long Lambda's runtime client takes until it asks for the first event."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.figures import Line
from benchmarks.in_process import PROJECT
from local.runtime_api import RuntimeApi
from stacks.jobs.bundle import bundle

REGION = "eu-central-1"
PLAIN, COMPILED, BOTO3 = "as deployed", "with bytecode", "boto3 + Secrets Manager + PyMySQL"


def measure(packages: Path | None, *, rounds: int, progress: Callable[[str], None]) -> list[Line]:
    """Return the lines about cold starts: the least processor time of some fresh processes, in turn."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        plain, compiled, boto3 = folder / "plain", folder / "compiled", folder / "boto3"
        for code in (plain, compiled):
            bundle(code, project=PROJECT, region=REGION)
        compileall.compile_dir(compiled, quiet=2)
        imports = least(
            {
                "ours": partial(_import, plain, "mysql_jobs.handler"),
                "pymysql": partial(_import, plain, "pymysql"),
                COMPILED: partial(_import, compiled, "mysql_jobs.handler"),
            },
            rounds,
        )
        progress("Imports in fresh processes")
        starts = {
            PLAIN: partial(_cold_start, plain, "mysql_jobs.handler.lambda_handler", {}),
            COMPILED: partial(_cold_start, compiled, "mysql_jobs.handler.lambda_handler", {}),
        }
        if packages is not None:
            boto3.mkdir()
            shutil.copy(Path(__file__).with_name("boto3_function.py"), boto3)
            starts[BOTO3] = partial(
                _cold_start, boto3, "boto3_function.lambda_handler", {"PYTHONPATH": f"{packages}:{plain}"}
            )
        colds = least(starts, rounds)
        progress("Cold starts through the runtime client")
    return [
        Line(
            subject="import of the handler, beside PyMySQL alone",
            unit="times",
            ours=imports["ours"] / imports["pymysql"],
            bar=1.3,
            note=f"{imports['ours']:.0f} ms / {imports['pymysql']:.0f} ms; with bytecode {imports[COMPILED]:.0f} ms",
        ),
        Line(
            subject="cold init through the runtime client",
            unit="ms",
            ours=colds[PLAIN],
            bar=75,
            others={COMPILED: colds[COMPILED], BOTO3: colds.get(BOTO3)},
            note="processor time, from the start of Python until it asks for the first event",
        ),
    ]


def least(measured: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The least of each, as whatever else happens here can only add to it; one of each in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, measure in measured.items():
            seconds[name].append(measure())
    return {name: min(some) for name, some in seconds.items()}


def _import(code: Path, module: str) -> float:
    """Milliseconds of processor time that a fresh process takes to import a module."""
    program = (
        f"import sys, time; sys.path.insert(0, {str(code)!r}); before = time.process_time();"
        f" import {module}; print(1000 * (time.process_time() - before))"
    )
    command = [sys.executable, "-I", "-S", "-B", "-c", program]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _cold_start(code: Path, handler: str, variables: Mapping[str, str]) -> float:
    """Milliseconds of processor time that the runtime client takes until it asks for the first event."""
    api = RuntimeApi()
    thread = threading.Thread(target=api.serve)
    thread.start()
    environment = {
        "PATH": os.defpath,
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAMBDA_TASK_ROOT": str(code),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
        **variables,
    }
    process = subprocess.Popen([sys.executable, "-m", "awslambdaric", handler], cwd=code, env=environment)
    try:
        said, what = api.received.get(timeout=60)
        if said != "next":
            raise RuntimeError(f"{handler} did not start: {what}")
        return _threads_milliseconds(process.pid)
    finally:
        process.kill()
        process.wait()
        api.stop()
        thread.join()


def _threads_milliseconds(pid: int) -> float:
    """Processor time of all threads: https://docs.kernel.org/scheduler/sched-stats.html."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text(encoding="ascii").split()[0]) for task in tasks) / 1e6
