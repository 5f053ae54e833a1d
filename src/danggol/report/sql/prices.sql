-- Prices of purchase lines in the reporting currency, in bins of an eighth of a decade, with three marks of the spread.
-- A price is in the currency of the country's offers where those have one currency, else in the reporting currency.
WITH spans AS (
    SELECT
        currency,
        rate,
        date AS first_day,
        lead(date) OVER (PARTITION BY currency ORDER BY date) AS next_day
    FROM fx
),
local_money AS (
    SELECT country, max(currency) AS currency
    FROM offers
    WHERE country IS NOT NULL AND currency IS NOT NULL
    GROUP BY country
    HAVING count(DISTINCT currency) = 1
),
paid AS (
    SELECT
        coalesce(e.country, c.country) AS country,
        CAST(e.ts AT TIME ZONE $zone AS DATE) AS day,
        e.price
    FROM events AS e
    LEFT JOIN customers AS c ON c.customer_id = e.customer_id
    WHERE e.kind = 'purchase' AND e.price > 0
),
known AS (
    SELECT
        p.price * CASE WHEN coalesce(m.currency, $currency) = $currency THEN 1 ELSE s.rate END AS price
    FROM paid AS p
    LEFT JOIN local_money AS m ON m.country = p.country
    LEFT JOIN spans AS s
        ON s.currency = m.currency AND p.day >= s.first_day AND (s.next_day IS NULL OR p.day < s.next_day)
),
spread AS (
    SELECT min(price) AS low, median(price) AS middle, max(price) AS high, count(price) AS priced FROM known
),
bins AS (
    SELECT CAST(floor(log10(price) * 8) AS BIGINT) AS bin, count(*) AS purchases
    FROM known
    WHERE price > 0
    GROUP BY 1
)
SELECT b.bin, b.purchases, s.low, s.middle, s.high, s.priced
FROM bins AS b
CROSS JOIN spread AS s
ORDER BY b.bin
