-- The offers that hold at each moment, the latest of a listing and country, of listings that have others in their group.
WITH grouped AS (
    SELECT product_id, group_id, COUNT(*) OVER (PARTITION BY group_id) AS listings
    FROM product_groups
),
held AS (
    SELECT
        moments.at AS at,
        grouped.group_id AS group_id,
        grouped.product_id AS product_id,
        offers.country AS country,
        offers.price AS price,
        offers.currency AS currency,
        offers.shipping_fee AS shipping_fee,
        offers.free_shipping AS free_shipping,
        offers.stock AS stock,
        ROW_NUMBER() OVER (
            PARTITION BY moments.at, grouped.product_id, offers.country
            ORDER BY epoch_us(offers.valid_from) DESC, offers.price NULLS LAST
        ) AS place
    FROM offers
    INNER JOIN grouped ON grouped.product_id = offers.product_id
    INNER JOIN moments
        ON epoch_us(offers.valid_from) <= moments.at
        AND (offers.valid_to IS NULL OR epoch_us(offers.valid_to) > moments.at)
    WHERE grouped.listings > 1
)
SELECT
    held.at,
    held.group_id,
    held.product_id,
    held.country,
    held.price,
    held.currency,
    held.shipping_fee,
    held.free_shipping,
    held.stock,
    products.seller_id,
    products.source
FROM held
LEFT JOIN products ON products.product_id = held.product_id
WHERE held.place = 1
ORDER BY held.at, held.group_id, held.product_id, held.country NULLS FIRST
