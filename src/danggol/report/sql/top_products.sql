-- The most bought products.
WITH counts AS (
    SELECT
        product_id,
        count(*) AS purchases,
        count(DISTINCT customer_id) AS buyers,
        count(DISTINCT country) AS countries
    FROM events
    WHERE kind = 'purchase' AND product_id IS NOT NULL
    GROUP BY product_id
    ORDER BY purchases DESC, product_id
    LIMIT 10
)
SELECT c.product_id, c.purchases, c.buyers, c.countries
FROM counts AS c
ORDER BY c.purchases DESC, c.product_id
