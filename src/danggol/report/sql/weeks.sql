-- Events of each kind in each local week (Monday first).
SELECT
    kind,
    CAST(date_trunc('week', ts AT TIME ZONE $zone) AS DATE) AS week,
    count(*) AS events
FROM events
GROUP BY 1, 2
ORDER BY 1, 2
