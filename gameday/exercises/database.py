"""Exercises on the database: it restarts, is cut off, changes its password, is restored."""

from __future__ import annotations

from datetime import timedelta

from delivery.aws import FunctionFailed
from gameday.exercise import Exercise
from gameday.exercises.runs import window
from gameday.ground import BACK_SECONDS, Ground, Report
from gameday.waiting import require, until
from settings.storage import least_growth

NAP = timedelta(seconds=6)
"""The job has 10 s, less 2 s for its end."""
REBOOT_SECONDS = 900
BUDGET_SECONDS = 30
"""The timeout of the job beat: gameday/project.py."""


def reboot(ground: Ground) -> str:
    """A run that is at work when the server goes fails loudly, and the next one covers its window."""
    before = ground.next_run()
    ground.reboot()
    failure = until("run that failed while the server restarted", lambda: _nap(ground), seconds=REBOOT_SECONDS, every=0)
    until("available instance", ground.available, seconds=BACK_SECONDS, every=10)
    after = ground.next_run(seconds=BACK_SECONDS)
    done = ground.unbroken("beat", before)
    require(after in done, "the run after it is in no row with the one before it")
    naps = after["result"]["traces"].get("nap", 0) - before["result"]["traces"].get("nap", 0)
    how = "failover" if ground.settings.made_database.multi_az else "restart in one zone"
    return f"{how}: a run at work failed with {failure.kind}, {naps} before it were done; no window was lost"


def _nap(ground: Ground) -> FunctionFailed | None:
    """The error of a run that the restart ended; None if it came through."""
    try:
        ground.start("nap", window(NAP))
    except FunctionFailed as error:
        return error
    return None


def rotated(ground: Ground) -> str:
    """With another master password, the migrations log in, and the jobs notice nothing."""
    before = ground.next_run()
    ground.rotate_master()
    ground.migrate()
    ground.next_run()
    ground.unbroken("beat", before)
    return "the migrations logged in with the new password; the jobs went on"


def cut(ground: Ground) -> str:
    """A run that can't reach the database fails within its time, and the next one covers its window."""
    before = ground.next_run()
    with ground.cut():
        failed = until("run that failed", lambda: _failed(ground), seconds=REBOOT_SECONDS, every=1)
    took = failed["duration_ms"] / 1000
    require(took < BUDGET_SECONDS, f"it took {took:.0f} s, and had {BUDGET_SECONDS} s")
    ground.next_run(seconds=BACK_SECONDS)
    ground.unbroken("beat", before)
    return (
        f"failed after {took:.0f} s of {BUDGET_SECONDS}: {str(failed['error'])[:60]} …; the next run covered its window"
    )


def _failed(ground: Ground) -> Report | None:
    run = ground.next_run(done=False)
    return run if run["outcome"] == "failed" else None


def restored(ground: Ground) -> str:
    """The newest snapshot becomes a new environment, with its rows, and that is removed again."""
    before = ground.next_run()["result"]["traces"]["beat"]
    with ground.restored(ground.snapshot()) as other:
        there = other.next_run(seconds=BACK_SECONDS)["result"]["traces"]["beat"]
    require(
        there > before, f"a run there saw {there} traces, its own included; before the snapshot, {before} were here"
    )
    return f"a run there saw {there} traces, its own included, of {before} before the snapshot; it was destroyed"


def grown(ground: Ground) -> str:
    """Storage grows by a tenth with one deploy."""
    before = ground.instance()["AllocatedStorage"]
    wanted = least_growth(before)
    ground.game.change("database", storage_gb=wanted)
    require(ground.deploy(), f"the deploy with storage_gb = {wanted} failed")
    seen = ground.instance()["AllocatedStorage"]
    require(seen >= wanted, f"{seen} GB, and {wanted} were deployed")
    ground.next_run()
    return f"{before} GB became {seen} GB; runs went on"


EXERCISES = (
    Exercise(
        title="Restart under a running job",
        done="reboot (with failover where there is a standby) while a run is at work",
        minutes=15,
        carry_out=reboot,
    ),
    Exercise(
        title="Master secret rotated",
        done="another password for the master user, then the migrations",
        minutes=10,
        carry_out=rotated,
    ),
    Exercise(
        title="Network cut",
        done="the security group's rules to a port where nothing listens, and back",
        minutes=10,
        carry_out=cut,
        only_on_aws="nothing filters the network here",
    ),
    Exercise(
        title="Storage grown",
        done="a tenth more in the environment's file, deployed",
        minutes=15,
        carry_out=grown,
    ),
    Exercise(
        title="Snapshot restored",
        done="a snapshot, and a second environment from it, which is destroyed again",
        minutes=60,
        carry_out=restored,
        only_on_aws="the emulator's RDS has no data: it is a MySQL server beside it",
    ),
)
