-- The terms that hold from some moment before a given one; an end that was not given is open.
SELECT
    product_id,
    country,
    epoch_us(valid_from) AS valid_from,
    epoch_us(valid_to) AS valid_to,
    price,
    CASE WHEN list_price > 0 AND price IS NOT NULL THEN 1 - price / list_price END AS discount,
    CAST(free_shipping AS INTEGER) AS free_shipping
FROM offers
WHERE epoch_us(valid_from) < $until
ORDER BY valid_from, product_id, country NULLS FIRST
