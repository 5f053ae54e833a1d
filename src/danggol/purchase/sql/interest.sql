-- What known customers looked at or put in a cart or wish list before a moment, without what they bought; oldest first.
SELECT
    epoch_us(ts) AS ts,
    product_id,
    customer_id,
    CASE WHEN kind = 'view' THEN 0 ELSE 1 END AS strong
FROM events
WHERE
    kind IN ('view', 'cart', 'wishlist') AND product_id IS NOT NULL AND customer_id IS NOT NULL
    AND epoch_us(ts) < $until
ORDER BY ts, event_id
