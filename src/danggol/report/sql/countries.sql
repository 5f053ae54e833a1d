-- Customers, buyers, purchase lines and revenue (reporting currency, as event prices are) of each country.
WITH bought AS (
    SELECT
        coalesce(e.country, c.country) AS country,
        e.customer_id,
        e.price * coalesce(e.quantity, 1) AS amount
    FROM events AS e
    LEFT JOIN customers AS c ON c.customer_id = e.customer_id
    WHERE e.kind = 'purchase'
),
sums AS (
    SELECT
        country,
        count(DISTINCT customer_id) AS buyers,
        count(*) AS purchases,
        count(amount) AS priced,
        sum(amount) AS revenue
    FROM bought
    GROUP BY country
),
people AS (
    SELECT country, count(*) AS customers FROM customers GROUP BY country
),
names AS (
    SELECT country FROM people
    UNION
    SELECT country FROM sums
)
SELECT
    n.country,
    coalesce(p.customers, 0) AS customers,
    coalesce(s.buyers, 0) AS buyers,
    coalesce(s.purchases, 0) AS purchases,
    coalesce(s.priced, 0) AS priced,
    s.revenue
FROM names AS n
LEFT JOIN people AS p ON p.country = n.country OR (p.country IS NULL AND n.country IS NULL)
LEFT JOIN sums AS s ON s.country = n.country OR (s.country IS NULL AND n.country IS NULL)
ORDER BY purchases DESC, customers DESC, n.country
