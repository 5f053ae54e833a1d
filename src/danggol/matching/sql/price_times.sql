-- The last moment at which terms began, not after a given one, and the latest time that went into the groups.
SELECT
    MAX(epoch_us(valid_from)) AS latest,
    (SELECT MAX(epoch_us(as_of)) FROM product_groups) AS grouped
FROM offers
WHERE epoch_us(valid_from) <= $until
