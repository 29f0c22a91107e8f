"""Whatever goes wrong in whatever order: nothing of ours is left on the server, and the next clean run works."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.fault_bench import IDLE_SECONDS, SETTLE_SECONDS, Bench, outcome
from lab.fault_proxy import Fault, FaultProxy

BEHAVIOURS = st.sampled_from(["work", "read_all", "raises", "stream", "keeps", "cycle", "closes", "exits", "select"])
FAULTS = st.none() | st.builds(
    Fault,
    stage=st.sampled_from(["greeting", "tls", "authentication", "setup", "statement", "answer", "quit"]),
    action=st.sampled_from(["reset", "close", "silence", "drip"]),
    statement=st.sampled_from([b"", b"INSERT", b"COMMIT"]),
    connections=st.integers(1, 3),
)


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,  # the same in CI as here; a run of another seed is a run by hand
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sequence=st.lists(st.tuples(BEHAVIOURS, FAULTS), min_size=1, max_size=4))
def test_any_sequence_of_faults_and_runs_ends_clean(bench: Bench, sequence: list[tuple[str, Fault | None]]) -> None:
    with (
        FaultProxy(bench.server) as proxy,
        bench.function("work", port=proxy.port, timeout_seconds=3) as function,
    ):
        for behaviour, fault in sequence:
            function.storm.write_text(behaviour)
            if fault:
                proxy.strike(fault)
            function.invoke()
        proxy.heal()
        function.storm.unlink()
        # An orphan that nobody could end holds the job's lock until the server gives it up.
        assert bench.settled(function.user, IDLE_SECONDS + 10) == (0, 0), bench.sessions(function.user)
        assert outcome(function.invoke()) == "done"
        assert bench.settled(function.user, SETTLE_SECONDS) == (0, 0), bench.sessions(function.user)
        assert bench.locks(function.user) == 0
