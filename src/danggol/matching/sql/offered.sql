-- What every listing costs where at a moment: the offers that hold, the latest of a listing and country.
WITH held AS (
    SELECT
        product_id,
        country,
        price,
        currency,
        ROW_NUMBER() OVER (
            PARTITION BY product_id, country
            ORDER BY epoch_us(valid_from) DESC, price NULLS LAST
        ) AS place
    FROM offers
    WHERE epoch_us(valid_from) <= $at
        AND (valid_to IS NULL OR epoch_us(valid_to) > $at)
        AND price > 0
)
SELECT product_id, country, price, currency
FROM held
WHERE place = 1
ORDER BY product_id, country NULLS FIRST
