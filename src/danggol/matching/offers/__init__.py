"""Offers of one product beside each other: price gaps and spam."""
