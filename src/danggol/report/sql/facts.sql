-- One row: how much there is, and from when to when (local time).
SELECT
    (SELECT count(*) FROM products) AS products,
    (SELECT count(*) FROM customers) AS listed_customers,
    count(DISTINCT customer_id) AS active_customers,
    count(*) AS events,
    count(CASE WHEN kind = 'purchase' THEN 1 END) AS purchases,
    count(DISTINCT CASE WHEN kind = 'purchase' THEN customer_id END) AS buyers,
    count(DISTINCT CASE WHEN kind = 'purchase' THEN product_id END) AS products_bought,
    count(DISTINCT CASE WHEN kind = 'purchase' THEN order_id END) AS orders,
    (
        SELECT count(*)
        FROM (
            SELECT customer_id
            FROM events
            WHERE kind = 'purchase' AND customer_id IS NOT NULL
            GROUP BY customer_id
            HAVING count(DISTINCT CAST(ts AT TIME ZONE $zone AS DATE)) > 1
        ) AS again
    ) AS regulars,
    min(ts) AT TIME ZONE $zone AS first_at,
    max(ts) AT TIME ZONE $zone AS last_at
FROM events
