-- Every impression before a moment, oldest first, with the terms as they were logged.
SELECT
    event_id,
    epoch_us(ts) AS ts,
    session_id,
    customer_id,
    product_id,
    country,
    position,
    image_shown,
    price,
    discount_rate,
    CAST(free_shipping AS INTEGER) AS free_shipping,
    channel
FROM events
WHERE kind = 'impression' AND product_id IS NOT NULL AND session_id IS NOT NULL AND epoch_us(ts) < $until
ORDER BY ts, event_id
