-- The first places of the asked customers' lists, with the probability where one was written.
WITH chances AS (
    SELECT s.customer_id, s.product_id, s."at", max(s.probability) AS probability, max(s.horizon_days) AS horizon_days
    FROM purchase_scores AS s
    INNER JOIN asked AS a ON a.customer_id = s.customer_id AND a."at" = s."at"
    GROUP BY s.customer_id, s.product_id, s."at"
)
SELECT
    r.customer_id, r.rank, r.product_id, r.score, r.image, r.reason_code, r.reason_args,
    c.probability, c.horizon_days
FROM recommendations AS r
INNER JOIN asked AS a ON a.customer_id = r.customer_id AND a."at" = r."at"
LEFT JOIN chances AS c ON c.customer_id = r.customer_id AND c.product_id = r.product_id AND c."at" = r."at"
ORDER BY r.customer_id, r.rank
