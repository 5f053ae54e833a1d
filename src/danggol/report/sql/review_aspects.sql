-- Aspects of reviews that are there, and how they are spoken of where that is sure.
SELECT
    aspect,
    count(*) AS reviews,
    count(*) FILTER (polarity > $surely) AS good,
    count(*) FILTER (polarity < -$surely) AS bad
FROM review_aspects
WHERE review_id IN (SELECT review_id FROM reviews)
GROUP BY 1
ORDER BY bad DESC, reviews DESC, aspect
LIMIT $most
