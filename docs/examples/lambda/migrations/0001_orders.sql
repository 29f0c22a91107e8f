-- Orders of customers. Times are UTC.
CREATE TABLE customer_order (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    customer VARCHAR(64) NOT NULL,
    total DECIMAL(18, 4) NOT NULL,
    placed_at DATETIME(6) NOT NULL,
    KEY by_placed_at (placed_at)
);
