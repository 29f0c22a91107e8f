"""The work of a ledger that every contender does in its empty run: read the last row, insert the next one, commit."""

READ = "SELECT sequence, window_end FROM ledger WHERE job = '{job}' ORDER BY sequence DESC LIMIT 1"
INSERT = (
    "INSERT INTO ledger (job, sequence, scheduled_time, execution_id, window_start, window_end, outcome, started_at,"
    " duration_ms) VALUES ('{job}', {sequence}, '2026-01-01' + INTERVAL {sequence} SECOND, 'x', '2026-01-01',"
    " '2026-01-02', 'done', '2026-01-01', 1)"
)
