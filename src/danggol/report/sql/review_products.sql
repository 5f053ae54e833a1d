-- Products with enough labelled reviews, of whatever label, and how many of them are displeased.
SELECT
    r.product_id,
    count(*) AS reviews,
    count(*) FILTER (s.label = 'negative') AS displeased
FROM review_sentiment s
JOIN (SELECT DISTINCT ON (review_id) review_id, product_id FROM reviews ORDER BY review_id, product_id) r USING (review_id)
WHERE r.product_id IS NOT NULL
GROUP BY 1
HAVING count(*) >= $least
ORDER BY r.product_id
