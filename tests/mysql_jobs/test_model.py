"""Whatever is delivered in whatever order: what the model says happens, and nothing else. Without a server."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.mysql_jobs.histories import QUICK, Histories


def test_any_history_does_what_the_model_says() -> None:
    run_state_machine_as_test(Histories, settings=settings(QUICK, max_examples=200))
