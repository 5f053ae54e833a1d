"""Which column of a file means what, and how its texts become values of a table."""
