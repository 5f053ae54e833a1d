-- Customers, buyers, purchase lines and revenue of each country.
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
bought AS (
    SELECT
        coalesce(e.country, c.country) AS country,
        e.customer_id,
        CAST(e.ts AT TIME ZONE $zone AS DATE) AS day,
        e.price * coalesce(e.quantity, 1) AS amount
    FROM events AS e
    LEFT JOIN customers AS c ON c.customer_id = e.customer_id
    WHERE e.kind = 'purchase'
),
days AS (
    SELECT
        country,
        day,
        count(*) AS purchases,
        count(amount) AS priced,
        sum(amount) AS amount
    FROM bought
    GROUP BY country, day
),
valued AS (
    SELECT
        d.country,
        d.purchases,
        CASE WHEN coalesce(m.currency, $currency) = $currency OR s.rate IS NOT NULL THEN d.priced ELSE 0 END AS priced,
        d.amount * CASE WHEN coalesce(m.currency, $currency) = $currency THEN 1 ELSE s.rate END AS revenue
    FROM days AS d
    LEFT JOIN local_money AS m ON m.country = d.country
    LEFT JOIN spans AS s
        ON s.currency = m.currency AND d.day >= s.first_day AND (s.next_day IS NULL OR d.day < s.next_day)
),
sums AS (
    SELECT country, sum(purchases) AS purchases, sum(priced) AS priced, sum(revenue) AS revenue
    FROM valued
    GROUP BY country
),
people AS (
    SELECT country, count(*) AS customers FROM customers GROUP BY country
),
buyers AS (
    SELECT country, count(DISTINCT customer_id) AS buyers FROM bought GROUP BY country
),
names AS (
    SELECT country FROM people
    UNION
    SELECT country FROM sums
)
SELECT
    n.country,
    coalesce(p.customers, 0) AS customers,
    coalesce(b.buyers, 0) AS buyers,
    CAST(coalesce(s.purchases, 0) AS BIGINT) AS purchases,
    CAST(coalesce(s.priced, 0) AS BIGINT) AS priced,
    s.revenue
FROM names AS n
LEFT JOIN people AS p ON p.country = n.country OR (p.country IS NULL AND n.country IS NULL)
LEFT JOIN buyers AS b ON b.country = n.country OR (b.country IS NULL AND n.country IS NULL)
LEFT JOIN sums AS s ON s.country = n.country OR (s.country IS NULL AND n.country IS NULL)
ORDER BY purchases DESC, customers DESC, n.country
