"""Metrics, calibration, intervals and tests: plain functions of numpy arrays that know nothing of shops or models.

``ranking`` scores recommendation lists, one value per customer; ``classification`` scores rows; ``calibration`` checks
and mends probabilities; ``intervals`` says how sure a figure is.
"""

from danggol.metrics.calibration import (
    CalibrationLine,
    Isotonic,
    Platt,
    Reliability,
    calibration_line,
    calibrator_from_dict,
    expected_calibration_error,
    reliability,
)
from danggol.metrics.classification import (
    accuracy,
    auc,
    auc_by_group,
    auc_of_weights,
    average_precision,
    average_precision_of_weights,
    brier,
    f1,
    grouped_auc,
    log_loss,
    macro_f1,
    macro_f1_of_weights,
)
from danggol.metrics.intervals import (
    Interval,
    Statistic,
    bootstrap,
    bootstrap_rows,
    mean_of_weights,
    nadeau_bengio,
    paired_bootstrap,
    wilson,
)
from danggol.metrics.matching import pair_f1, row_f1
from danggol.metrics.ranking import (
    average_precision_at,
    hit_rate_at,
    hits_from_ids,
    ndcg_at,
    precision_at,
    recall_at,
    reciprocal_rank_at,
)
from danggol.metrics.shares import Shares, modality_shares, shapley, subsets

__all__ = [
    "CalibrationLine",
    "Interval",
    "Isotonic",
    "Platt",
    "Reliability",
    "Shares",
    "Statistic",
    "accuracy",
    "auc",
    "auc_by_group",
    "auc_of_weights",
    "average_precision",
    "average_precision_at",
    "average_precision_of_weights",
    "bootstrap",
    "bootstrap_rows",
    "brier",
    "calibration_line",
    "calibrator_from_dict",
    "expected_calibration_error",
    "f1",
    "grouped_auc",
    "hit_rate_at",
    "hits_from_ids",
    "log_loss",
    "macro_f1",
    "macro_f1_of_weights",
    "mean_of_weights",
    "modality_shares",
    "nadeau_bengio",
    "ndcg_at",
    "pair_f1",
    "paired_bootstrap",
    "precision_at",
    "recall_at",
    "reciprocal_rank_at",
    "reliability",
    "row_f1",
    "shapley",
    "subsets",
    "wilson",
]
