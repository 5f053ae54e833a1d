-- Causes of reviews that are there: how many have each in all, surely, and lately, and the stars of those that surely have it.
WITH told AS (
    SELECT c.cause, c.probability >= $sure AS sure, r.rating, epoch_us(r.ts) AS moment
    FROM review_causes c
    JOIN (
        SELECT DISTINCT ON (review_id) review_id, rating, ts FROM reviews ORDER BY review_id, ts, rating
    ) r USING (review_id)
    WHERE c.cause IS NOT NULL
),
latest AS (SELECT max(moment) AS moment FROM told)
SELECT
    t.cause,
    count(*) AS named,
    count(*) FILTER (t.sure) AS reviews,
    avg(t.rating) FILTER (t.sure AND NOT isnan(t.rating)) AS stars,
    count(*) FILTER (t.sure AND t.moment IS NOT NULL) AS dated,
    count(*) FILTER (t.sure AND t.moment > l.moment - $days * 86400000000) AS lately
FROM told t
CROSS JOIN latest l
GROUP BY 1
ORDER BY reviews DESC, t.cause
