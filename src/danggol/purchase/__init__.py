"""Who will buy what: point-in-time samples, candidates, baselines, the model, and how good it is."""

from danggol.purchase.evaluate import Evaluation, evaluate
from danggol.purchase.model import PurchaseModel
from danggol.purchase.settings import PurchaseSettings

__all__ = ["Evaluation", "PurchaseModel", "PurchaseSettings", "evaluate"]
