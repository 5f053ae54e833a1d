"""Who will buy what: point-in-time samples, candidates, baselines, the model, and how good it is."""

import os

# LightGBM's threads wait by spinning, which costs ten times the time where another process shares the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from danggol.purchase.evaluate import Evaluation, evaluate
from danggol.purchase.model import PurchaseModel
from danggol.purchase.settings import PurchaseSettings

__all__ = ["Evaluation", "PurchaseModel", "PurchaseSettings", "evaluate"]
