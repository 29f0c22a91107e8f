-- One row per run of the job pulse, with what it saw of the server. Times are UTC.
CREATE TABLE pulse (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    scheduled_time DATETIME(6) NOT NULL,
    recorded_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    server_version VARCHAR(64) NOT NULL,
    connections INT UNSIGNED NOT NULL,
    max_connections INT UNSIGNED NOT NULL,
    uptime_seconds BIGINT UNSIGNED NOT NULL,
    KEY by_scheduled_time (scheduled_time)
);
