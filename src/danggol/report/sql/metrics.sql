-- The purchase model's figures; where two runs wrote the same figure, the later run's.
WITH ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY model, metric, part, until ORDER BY run_id DESC) AS place
    FROM purchase_metrics
)
SELECT
    model, metric, part, until AT TIME ZONE $zone AS until, value, low, high,
    difference, difference_low, difference_high, customers, horizon_days, run_id, until AS cut
FROM ranked
WHERE place = 1
ORDER BY until, metric, part, model
