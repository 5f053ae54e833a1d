-- Reviews that are there and labelled, by language, with their labels, and how many of them contradict their stars.
SELECT
    coalesce(language, '') AS language,
    count(*) AS reviews,
    count(*) FILTER (label = 'positive') AS pleased,
    count(*) FILTER (label = 'negative') AS displeased,
    count(*) FILTER (label IN ('unsure', 'unreadable')) AS unsure,
    count(*) FILTER (disagrees_with_rating) AS contradict
FROM review_sentiment
WHERE review_id IN (SELECT review_id FROM reviews)
GROUP BY 1
ORDER BY reviews DESC, language
