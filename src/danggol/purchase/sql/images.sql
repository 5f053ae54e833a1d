-- The picture to show of each product: the first thumbnail, else the first picture that is not a reviewer's.
WITH ranked AS (
    SELECT
        product_id,
        image,
        row_number() OVER (
            PARTITION BY product_id
            ORDER BY CASE WHEN role = 'thumbnail' THEN 0 WHEN role IS NULL THEN 1 ELSE 2 END, coalesce(position, 0), image
        ) AS place
    FROM product_images
    WHERE coalesce(role, '') <> 'review'
)
SELECT product_id, image
FROM ranked
WHERE place = 1
ORDER BY product_id
