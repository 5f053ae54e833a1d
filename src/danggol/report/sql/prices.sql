-- Prices of purchase lines (reporting currency) in bins of an eighth of a decade, with three marks of the spread.
WITH paid AS (
    SELECT price FROM events WHERE kind = 'purchase' AND price > 0
),
spread AS (
    SELECT min(price) AS low, median(price) AS middle, max(price) AS high, count(*) AS priced FROM paid
),
bins AS (
    SELECT CAST(floor(log10(price) * 8) AS BIGINT) AS bin, count(*) AS purchases
    FROM paid
    GROUP BY 1
)
SELECT b.bin, b.purchases, s.low, s.middle, s.high, s.priced
FROM bins AS b
CROSS JOIN spread AS s
ORDER BY b.bin
