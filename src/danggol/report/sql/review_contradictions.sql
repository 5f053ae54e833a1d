-- Reviews whose text contradicts their stars, the surest first, short enough to be read.
SELECT r.review_id, r.product_id, r.title, r.text, r.rating, s.language, s.label
FROM review_sentiment s
JOIN (SELECT DISTINCT ON (review_id) * FROM reviews ORDER BY review_id, text) r USING (review_id)
WHERE s.disagrees_with_rating AND r.rating IS NOT NULL
ORDER BY s.confidence DESC, r.review_id
LIMIT $most
