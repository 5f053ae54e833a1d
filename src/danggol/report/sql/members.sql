-- The first six listings of each of the named groups, by id.
WITH placed AS (
    SELECT
        g.group_id,
        g.product_id,
        row_number() OVER (PARTITION BY g.group_id ORDER BY g.product_id) AS place
    FROM product_groups AS g
    INNER JOIN asked AS a ON a.group_id = g.group_id
)
SELECT group_id, product_id
FROM placed
WHERE place <= 6
ORDER BY group_id, product_id
