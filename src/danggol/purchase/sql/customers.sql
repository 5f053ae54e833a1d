-- Every customer known before a moment, with a country: the stated one, else that of the first event, which no later one
-- can change.
WITH seen AS (
    SELECT customer_id, arg_min(country, epoch_us(ts)) AS country
    FROM events
    WHERE customer_id IS NOT NULL AND country IS NOT NULL AND epoch_us(ts) < $until
    GROUP BY customer_id
),
known AS (
    SELECT customer_id FROM customers WHERE joined_at IS NULL OR epoch_us(joined_at) < $until
    UNION
    SELECT customer_id FROM events WHERE customer_id IS NOT NULL AND epoch_us(ts) < $until
)
SELECT k.customer_id, coalesce(c.country, s.country) AS country
FROM known AS k
LEFT JOIN customers AS c ON c.customer_id = k.customer_id
LEFT JOIN seen AS s ON s.customer_id = k.customer_id
ORDER BY k.customer_id
