-- What the job $name moves, and where to. Times are UTC.
CREATE TABLE `$table` (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    note VARCHAR(255) NOT NULL DEFAULT '',
    KEY by_created_at (created_at)
);
CREATE TABLE `$archive` (
    id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    created_at DATETIME(6) NOT NULL,
    note VARCHAR(255) NOT NULL,
    archived_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);
