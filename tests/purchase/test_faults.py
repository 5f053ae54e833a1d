"""Training that is killed leaves the old model or the new one, and the next training completes."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.purchase.conftest import QUICK, events, fill

from danggol.purchase import PurchaseModel, PurchaseSettings, verbs
from danggol.shop import Shop

KILLED = 86
STAGES = {
    "reading": "danggol.purchase.model:read",
    "past moments": "danggol.purchase.ranker:Moment",
    "after the boosters": "danggol.purchase.ranker:_calibrator",
    "writing the files": "danggol.artefact:os.fsync",
    "before the old is moved aside": "danggol.artefact:_moved_aside",
    "between the two moves": "danggol.artefact:_moved_in",
    "before the old is deleted": "danggol.artefact:_swept",
}
PROGRAM = """
import importlib, os, sys
from danggol.purchase import PurchaseSettings, verbs
from danggol.shop import Shop
path, place, values = sys.argv[1], sys.argv[2], eval(sys.argv[3])
module, _, name = place.partition(":")
holder = importlib.import_module(module)
*outer, name = name.split(".")
for part in outer:
    holder = getattr(holder, part)
def die(*args, **kwargs):
    os._exit(86)
assert hasattr(holder, name)
setattr(holder, name, die)
verbs.train(Shop.open(path), "2024-05-01", settings=PurchaseSettings.of(values))
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return fill(tmp_path_factory.mktemp("faults") / "shop", events(40))


@pytest.mark.parametrize("place", STAGES.values(), ids=list(STAGES))
def test_a_killed_training_leaves_the_old_model_or_the_new(shop: Shop, place: str) -> None:
    folder = shop.path / "models" / "purchase"
    # starting torch takes seconds: with the network only where the files are written
    quick = QUICK | {"network_epochs": int(place == STAGES["writing the files"])}
    verbs.train(shop, "2024-04-01", settings=PurchaseSettings.of(quick | {"rounds": 3}))
    values = repr(quick | {"rounds": 4})
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(shop.path), place, values], capture_output=True, text=True, check=False
    )
    assert done.returncode == KILLED, done.stderr
    left = PurchaseModel.load(folder)
    assert left.settings.rounds in {3, 4}
    assert left.predict(shop, "2024-05-01", top=2).height == 2 * 80
    again = verbs.train(shop, "2024-05-01", settings=PurchaseSettings.of(quick | {"rounds": 5}))
    assert Path(again["model"]) == folder
    assert PurchaseModel.load(folder).settings.rounds == 5
    assert [path.name for path in folder.parent.iterdir()] == ["purchase"]


def test_a_first_training_that_is_killed_leaves_no_model(tmp_path: Path) -> None:
    shop = fill(tmp_path / "shop", events(20))
    place = STAGES["writing the files"]
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(shop.path), place, repr(QUICK)], capture_output=True, check=False
    )
    folder = shop.path / "models" / "purchase"
    assert not folder.exists()
    verbs.train(shop, "2024-05-01", settings=PurchaseSettings.of(QUICK))
    assert (folder / "config.json").exists()
