"""The version, apart from the public names, so that every room may read it."""

__version__ = "0.1.0"
