"""Nearest neighbours, and embeddings that learn from theirs."""
