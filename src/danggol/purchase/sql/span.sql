-- The first and the last purchase of a known customer, and how many there are.
SELECT epoch_us(min(ts)) AS first, epoch_us(max(ts)) AS last, count(*) AS purchases
FROM events
WHERE kind = 'purchase' AND product_id IS NOT NULL AND customer_id IS NOT NULL AND coalesce(quantity, 1) > 0
