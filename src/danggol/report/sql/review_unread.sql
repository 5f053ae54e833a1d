-- How many reviews have no label.
SELECT count(DISTINCT r.review_id) AS unread
FROM reviews r
LEFT JOIN review_sentiment s USING (review_id)
WHERE s.review_id IS NULL
