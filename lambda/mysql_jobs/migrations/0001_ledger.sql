-- The runs that were recorded, a row per job and scheduled time, each committed with the work it stands for.
-- Times are UTC. lambda/mysql_jobs/ledger.py reads and writes it.
CREATE TABLE ledger (
    job VARCHAR(31) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    sequence BIGINT UNSIGNED NOT NULL COMMENT '1, 2, 3 ... per job, in the order of recording',
    scheduled_time DATETIME(6) NULL COMMENT 'NULL: a window run by hand, outside of the sequence of windows',
    execution_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    window_start DATETIME(6) NOT NULL,
    window_end DATETIME(6) NOT NULL,
    outcome ENUM('done', 'partial') NOT NULL,
    -- TEXT: MySQL's JSON turns integers beyond 64 bits into floats, and a position to go on from must come back exactly.
    progress TEXT CHARACTER SET utf8mb4 NULL COMMENT 'JSON, of the last checkpoint' CHECK (JSON_VALID(progress)),
    result TEXT CHARACTER SET utf8mb4 NULL COMMENT 'JSON: what the job returned; NULL while partial' CHECK (JSON_VALID(result)),
    started_at DATETIME(6) NOT NULL,
    duration_ms INT UNSIGNED NOT NULL COMMENT 'of the latest run for this row, until it was recorded',
    PRIMARY KEY (job, sequence),
    UNIQUE KEY once (job, scheduled_time),
    KEY by_hand (job, execution_id)
);
