"""Pairs of listings, and how sure it is that they are one product."""
