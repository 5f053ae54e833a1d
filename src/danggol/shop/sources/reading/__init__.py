"""Opening files: what is in them, as batches of rows of text, whatever their form."""
