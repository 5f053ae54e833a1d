-- What the catalogue says of each listing; rating and number of ratings where sellers state them among the attributes.
SELECT
    product_id,
    category,
    brand,
    origin_country,
    epoch_us(listed_at) AS listed,
    TRY_CAST(attributes['rating'] AS DOUBLE) AS rating,
    TRY_CAST(attributes['ratings'] AS DOUBLE) AS reviews
FROM products
ORDER BY product_id
