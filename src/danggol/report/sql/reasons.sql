-- How many lists there are at the latest moment, and the reasons of their places.
WITH latest AS (
    SELECT max("at") AS "at" FROM recommendations
)
SELECT coalesce(r.reason_code, '') AS reason_code, count(*) AS places, count(DISTINCT r.customer_id) AS customers,
    (SELECT count(DISTINCT customer_id) FROM recommendations AS x WHERE x."at" = (SELECT "at" FROM latest)) AS lists,
    max(r."at") AT TIME ZONE $zone AS "at"
FROM recommendations AS r
INNER JOIN latest AS l ON l."at" = r."at"
GROUP BY 1
ORDER BY places DESC, 1
