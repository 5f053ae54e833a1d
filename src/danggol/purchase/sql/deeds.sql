-- What was looked at, put in a cart or bought before a moment, oldest first.
SELECT
    epoch_us(ts) AS ts,
    session_id,
    customer_id,
    product_id,
    CASE kind WHEN 'view' THEN 0 WHEN 'cart' THEN 1 ELSE 2 END AS deed,
    dwell_s
FROM events
WHERE kind IN ('view', 'cart', 'purchase') AND product_id IS NOT NULL AND epoch_us(ts) < $until
ORDER BY ts, event_id
