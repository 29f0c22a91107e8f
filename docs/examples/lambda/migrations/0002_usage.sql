-- What customers use in an hour, and the bills that the API has made of it. Times are UTC.
CREATE TABLE usage_hourly (
    hour DATETIME NOT NULL COMMENT 'its beginning',
    customer VARCHAR(64) NOT NULL,
    units BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (hour, customer)
);
CREATE TABLE bill (
    hour DATETIME NOT NULL,
    customer VARCHAR(64) NOT NULL,
    units BIGINT UNSIGNED NOT NULL,
    number VARCHAR(64) NOT NULL COMMENT 'of the API',
    PRIMARY KEY (hour, customer)
);
