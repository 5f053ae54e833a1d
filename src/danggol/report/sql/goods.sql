-- Title, language and first picture of the named products (thumbnails first, then by position).
WITH wanted AS (
    SELECT DISTINCT product_id FROM asked
),
ranked AS (
    SELECT
        i.product_id,
        i.image,
        row_number() OVER (
            PARTITION BY i.product_id
            ORDER BY CASE i.role WHEN 'thumbnail' THEN 0 WHEN 'review' THEN 2 ELSE 1 END, coalesce(i.position, 999999), i.image
        ) AS place
    FROM product_images AS i
    INNER JOIN wanted AS w ON w.product_id = i.product_id
),
told AS (
    SELECT
        p.product_id,
        p.title,
        p.language,
        p.category,
        row_number() OVER (PARTITION BY p.product_id ORDER BY coalesce(p.title, '')) AS place
    FROM products AS p
    INNER JOIN wanted AS w ON w.product_id = p.product_id
)
SELECT
    w.product_id,
    left(t.title, 400) AS title,
    t.language,
    t.category,
    r.image,
    t.product_id IS NOT NULL AS listed
FROM wanted AS w
LEFT JOIN told AS t ON t.product_id = w.product_id AND t.place = 1
LEFT JOIN ranked AS r ON r.product_id = w.product_id AND r.place = 1
ORDER BY w.product_id
