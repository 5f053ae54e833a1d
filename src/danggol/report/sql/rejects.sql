-- Rows that imports could not use, by reason, with one of the reasons in words.
SELECT source, reason_code, coalesce("column", '') AS field, count(*) AS rows, min(reason) AS example
FROM rejects
GROUP BY 1, 2, 3
ORDER BY rows DESC, source, reason_code, field
LIMIT 40
