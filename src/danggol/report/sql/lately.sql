-- What the asked customers bought last before their lists were made, each product once.
WITH bought AS (
    SELECT e.customer_id, e.product_id, max(e.ts) AS last_at, count(*) AS times
    FROM events AS e
    INNER JOIN asked AS a ON a.customer_id = e.customer_id
    WHERE e.kind = 'purchase' AND e.product_id IS NOT NULL AND e.ts < a."at"
    GROUP BY e.customer_id, e.product_id
),
ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY customer_id ORDER BY last_at DESC, product_id) AS place
    FROM bought
)
SELECT customer_id, product_id, times, last_at AT TIME ZONE $zone AS last_at
FROM ranked
WHERE place <= 5
ORDER BY customer_id, place
