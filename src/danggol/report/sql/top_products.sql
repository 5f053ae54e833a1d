-- The most bought products.
SELECT product_id, count(*) AS purchases, count(DISTINCT customer_id) AS buyers
FROM events
WHERE kind = 'purchase' AND product_id IS NOT NULL
GROUP BY product_id
ORDER BY purchases DESC, product_id
LIMIT 9
