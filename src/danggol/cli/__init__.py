"""The command line: one verb table, no logic. What a verb does stands in :mod:`danggol.verbs`."""

# In the order in which the help names them.
from danggol.cli import shop

# isort: split
from danggol.cli import matching, purchase, reviews

# isort: split
from danggol.cli.call import app
from danggol.console import run

__all__ = ["app", "main", "matching", "purchase", "reviews", "shop"]


def main() -> None:
    """Run the command line."""
    raise SystemExit(run(app))
