"""The catalogue's own questions: what a listing is, which pictures a text means, which listings are alike."""
