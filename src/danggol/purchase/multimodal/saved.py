"""The cross-modal model as plain files: JSON, LightGBM's text, safetensors; nothing that runs when it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lightgbm.basic import LightGBMError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from danggol.encoders.text import Vocabulary
from danggol.errors import DataError, UsageError
from danggol.purchase import artefact
from danggol.purchase.multimodal.fusion import Fusion, Shape
from danggol.purchase.multimodal.inputs import Words
from danggol.purchase.multimodal.kinds import Kinds
from danggol.purchase.multimodal.tastes import Tastes
from danggol.purchase.multimodal.trees import Trees

if TYPE_CHECKING:
    from danggol.purchase.multimodal.model import MultimodalModel

    Model = TypeVar("Model", bound=MultimodalModel)

_MODEL = "multimodal"
_WEIGHTS, _VOCABULARY, _TASTES = "weights.safetensors", "vocabulary.json", "tastes.json"


def save(model: MultimodalModel, target: Path) -> Path:
    """Save a fitted model to a folder, taking the place of a model that is there."""
    if model.words is None or model.tastes is None:
        raise UsageError("the cross-modal model is not fitted; call fit(shop) first")
    words, network, trees = model.words, model.network, model.trees
    boosters = {} if trees is None else trees.to_files()
    config = {
        "capability": "purchase",
        "model": _MODEL,
        "format": artefact.FORMAT,
        "settings": model.settings.model_dump(mode="json"),
        "shape": None if network is None else network.shape.model_dump(mode="json"),
        "offset": model.offset,
        "weights": model.weights,
        "trees": None if trees is None else {"files": sorted(boosters), "columns": trees.names},
    }
    held = {
        "text": words.vocabulary.to_json(),
        "categories": words.categories,
        "brands": words.brands,
        "countries": words.countries,
        "title": words.title,
        "kinds": words.kinds.to_dict(),
    }
    files: dict[str, str | bytes] = {
        _VOCABULARY: json.dumps(held, ensure_ascii=False),
        _TASTES: json.dumps(model.tastes.to_dict()),
        **boosters,
        artefact.CONFIG: json.dumps(config, indent=1),
    }
    if network is not None:
        files[_WEIGHTS] = save_tensors({name: one.cpu().contiguous() for name, one in network.state_dict().items()})
    artefact.publish(target, files)
    return target


def load(cls: type[Model], folder: Path) -> Model:
    """Load what :func:`save` wrote."""
    source = artefact.locate(folder)
    config = artefact.read_config(source, _MODEL)
    try:
        model = cls()
        model.settings = type(model.settings)(**config["settings"])
        model.offset, model.weights = float(config["offset"]), config["weights"]
        held = json.loads(artefact.read_text(source, _VOCABULARY))
        vocabulary = Vocabulary.from_json(held["text"], source)
        kinds = Kinds(**held["kinds"])
        model.words = Words(vocabulary, held["categories"], held["brands"], kinds, held["countries"], held["title"])
        model.tastes = Tastes.from_dict(json.loads(artefact.read_text(source, _TASTES)))
        if config["trees"] is not None:
            files = {name: artefact.read_text(source, name) for name in config["trees"]["files"]}
            model.trees = Trees.of_files(files, config["trees"]["columns"])
        if config["shape"] is not None:
            settings = model.settings
            only = model._of_network(settings.only)
            model.network = Fusion(Shape(**config["shape"]), settings.network, only)
            model.network.load_state_dict(load_tensors((source / _WEIGHTS).read_bytes()))
            model.network.eval()
    except (KeyError, TypeError, ValueError, RuntimeError, OSError, SafetensorError, LightGBMError) as error:
        raise DataError(f"the model in {source} is damaged ({str(error)[:80]}); train it again") from error
    return model
