-- What each run of the game day's jobs leaves behind.
CREATE TABLE trace (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    job VARCHAR(31) NOT NULL,
    left_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);
