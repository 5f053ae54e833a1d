-- What each modality is worth, everybody first.
SELECT part, figure, modality, value, low, high, showings, until
FROM modality_worth
ORDER BY part <> 'all', part, figure, modality
