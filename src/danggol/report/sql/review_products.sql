-- Products with enough read reviews, by the share that displeases.
SELECT
    r.product_id,
    count(*) AS reviews,
    count(*) FILTER (s.label = 'negative') AS displeased,
    count(*) FILTER (s.label = 'positive') AS pleased
FROM review_sentiment s
JOIN reviews r USING (review_id)
WHERE r.product_id IS NOT NULL AND s.label IN ('positive', 'negative', 'neutral')
GROUP BY 1
HAVING count(*) >= $least
ORDER BY r.product_id
