-- Whose lists to show: the latest moment; in each country one with a history and one without, the fullest first.
WITH latest AS (
    SELECT max("at") AS "at" FROM recommendations
),
lists AS (
    SELECT r.customer_id, r."at", count(*) AS places, count(DISTINCT r.reason_code) AS reasons
    FROM recommendations AS r
    INNER JOIN latest AS l ON l."at" = r."at"
    GROUP BY r.customer_id, r."at"
),
histories AS (
    SELECT e.customer_id, count(DISTINCT e.product_id) AS bought, max(e.country) AS country
    FROM events AS e
    INNER JOIN lists AS l ON l.customer_id = e.customer_id
    WHERE e.kind = 'purchase' AND e.ts < l."at"
    GROUP BY e.customer_id
),
known AS (
    SELECT
        l.customer_id, l."at", l.places, l.reasons,
        coalesce(h.bought, 0) AS bought,
        coalesce(c.country, h.country) AS country
    FROM lists AS l
    LEFT JOIN histories AS h ON h.customer_id = l.customer_id
    LEFT JOIN customers AS c ON c.customer_id = l.customer_id
),
ranked AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY country) AS people,
        row_number() OVER (
            PARTITION BY country, CASE WHEN bought > 0 THEN 1 ELSE 0 END
            ORDER BY least(places, 5) DESC, least(bought, 4) DESC, reasons DESC, customer_id
        ) AS place
    FROM known
)
SELECT customer_id, "at", "at" AT TIME ZONE $zone AS local_at, bought, country, people
FROM ranked
WHERE place = 1
ORDER BY people DESC, country, bought DESC
