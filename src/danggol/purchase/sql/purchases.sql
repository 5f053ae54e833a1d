-- Every purchase line before a moment, oldest first; a line without an order belongs to what the customer bought at that time.
SELECT
    epoch_us(ts) AS ts,
    product_id,
    customer_id,
    coalesce(order_id, session_id, customer_id || '@' || CAST(epoch_us(ts) AS VARCHAR), event_id) AS order_id,
    coalesce(quantity, 1) AS quantity,
    price
FROM events
WHERE kind = 'purchase' AND product_id IS NOT NULL AND coalesce(quantity, 1) > 0 AND epoch_us(ts) < $until
ORDER BY ts, event_id
