-- The listings of the named groups, by group and id.
SELECT
    g.group_id,
    g.product_id
FROM product_groups AS g
INNER JOIN asked AS a ON a.group_id = g.group_id
ORDER BY g.group_id, g.product_id
