-- What each listing is, in words, and when it was listed.
SELECT product_id, title, category, brand, attributes, epoch_us(listed_at) AS listed
FROM products
ORDER BY product_id
