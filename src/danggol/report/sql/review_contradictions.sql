-- Reviews whose text contradicts their stars, the surest first, short enough to be read.
SELECT r.review_id, r.product_id, r.title, r.text, r.rating, s.language, s.label
FROM review_sentiment s
JOIN reviews r USING (review_id)
WHERE s.disagrees_with_rating
ORDER BY s.confidence DESC, r.review_id
LIMIT $most
