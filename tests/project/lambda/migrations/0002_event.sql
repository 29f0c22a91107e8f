-- What happened, and its hourly summary, which the job tally keeps. Times are UTC.
CREATE TABLE event (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    occurred_at DATETIME(6) NOT NULL,
    kind VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    amount DECIMAL(18, 4) NOT NULL DEFAULT 0,
    recorded_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    KEY by_occurred_at (occurred_at)
);
CREATE TABLE event_hourly (
    hour DATETIME NOT NULL COMMENT 'its beginning',
    kind VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    events BIGINT UNSIGNED NOT NULL,
    amount DECIMAL(36, 4) NOT NULL COMMENT 'sum',
    PRIMARY KEY (hour, kind)
);
