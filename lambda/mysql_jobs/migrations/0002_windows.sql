-- A row stands for a window: the runs that work on it, one after the other, write the same row. Up to version 0.1 each
-- scheduled time had one of its own; those rows stay as they are, and so does what code of then writes meanwhile.
ALTER TABLE ledger
    MODIFY COLUMN outcome ENUM('done', 'partial', 'skipped') NOT NULL COMMENT 'skipped: nobody works on this window',
    MODIFY COLUMN scheduled_time DATETIME(6) NULL COMMENT 'of the run that began the window; NULL: one run by hand, outside of the sequence of windows',
    MODIFY COLUMN execution_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'of the latest run for this window',
    ADD COLUMN in_sequence BOOLEAN NULL COMMENT 'TRUE; NULL: run by hand, or recorded up to version 0.1',
    DROP KEY once,
    ADD UNIQUE KEY once (job, in_sequence, window_start),
    ADD KEY scheduled (job, scheduled_time);

-- What the watcher knows of the jobs' schedules. lambda/mysql_jobs/watch.py reads and writes it.
CREATE TABLE watched (
    job VARCHAR(31) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    schedule VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'expression and time zone',
    since DATETIME(6) NOT NULL COMMENT 'UTC: when it was seen first'
);
