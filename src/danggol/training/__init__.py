"""The one training loop: batches, early stopping, checkpoints, resume, device, progress."""

from danggol.training.checkpoint import Checkpoint
from danggol.training.loop import Schedule, Trained, device_of, train

__all__ = ["Checkpoint", "Schedule", "Trained", "device_of", "train"]
