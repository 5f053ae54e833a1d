-- Every product that was listed before a moment: its words, its groups, and since when it is known.
WITH known AS (
    SELECT product_id FROM products WHERE listed_at IS NULL OR epoch_us(listed_at) < $until
    UNION
    SELECT product_id FROM offers WHERE epoch_us(valid_from) < $until
    UNION
    SELECT product_id FROM events WHERE kind = 'purchase' AND product_id IS NOT NULL AND epoch_us(ts) < $until
)
SELECT
    k.product_id,
    p.title,
    p.category,
    p.brand,
    epoch_us(p.listed_at) AS listed_at
FROM known AS k
LEFT JOIN products AS p ON p.product_id = k.product_id
ORDER BY k.product_id
