-- Groups of listings that are the same product, largest first, with the lowest similarity of a pair within.
WITH sized AS (
    SELECT group_id, count(*) AS listings
    FROM product_groups
    GROUP BY group_id
),
within AS (
    SELECT g.group_id, min(m.similarity) AS lowest
    FROM product_matches AS m
    INNER JOIN product_groups AS g ON g.product_id = m.product_id
    INNER JOIN product_groups AS h ON h.product_id = m.other_id AND h.group_id = g.group_id
    WHERE m.product_id <> m.other_id AND m."by" IS NOT NULL
    GROUP BY g.group_id
)
SELECT
    s.group_id,
    s.listings,
    w.lowest
FROM sized AS s
LEFT JOIN within AS w ON w.group_id = s.group_id
WHERE s.listings > 1
ORDER BY s.listings DESC, s.group_id
