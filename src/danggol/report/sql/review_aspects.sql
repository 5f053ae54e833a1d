-- Aspects of reviews, and how they are spoken of.
SELECT
    aspect,
    count(*) AS reviews,
    count(*) FILTER (polarity > 0) AS good,
    count(*) FILTER (polarity < 0) AS bad
FROM review_aspects
GROUP BY 1
ORDER BY bad DESC, reviews DESC, aspect
LIMIT $most
