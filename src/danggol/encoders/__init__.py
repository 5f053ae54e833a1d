"""Text, image, event sequence and features as vectors and tokens."""
