"""What each verb of the command line does: call a room, and put what came of it into words."""

from danggol.verbs.catalogue import attributes
from danggol.verbs.matching import match, match_file, prices, spam, why
from danggol.verbs.purchase import (
    purchase_evaluate,
    purchase_explain,
    purchase_modalities,
    purchase_predict,
    purchase_train,
)
from danggol.verbs.reviews import reviews_aspects, reviews_causes, reviews_label, reviews_study, reviews_train
from danggol.verbs.runs import demo, run
from danggol.verbs.shop import check, clean, doctor, export, forget, import_, report, simulate

__all__ = [
    "attributes",
    "check",
    "clean",
    "demo",
    "doctor",
    "export",
    "forget",
    "import_",
    "match",
    "match_file",
    "prices",
    "purchase_evaluate",
    "purchase_explain",
    "purchase_modalities",
    "purchase_predict",
    "purchase_train",
    "report",
    "reviews_aspects",
    "reviews_causes",
    "reviews_label",
    "reviews_study",
    "reviews_train",
    "run",
    "simulate",
    "spam",
    "why",
]
