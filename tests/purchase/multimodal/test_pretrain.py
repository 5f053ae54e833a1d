"""Pretraining on titles and pictures without labels, on made-up listings whose colours are in both."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from danggol.encoders.text import Vocabulary
from danggol.errors import DataError, UsageError
from danggol.purchase.multimodal.fusion import Fusion, FusionSettings
from danggol.purchase.multimodal.inputs import Inputs
from danggol.purchase.multimodal.model import MultimodalModel, MultimodalSettings
from danggol.purchase.multimodal.pretrain import Pretraining, learn_catalogue, pretrain, retrieve
from danggol.training import Schedule

from .test_model import killing, made

COLORS = "red blue green black white pink".split()
FORMS = "bag shoe coat hat".split()
LISTINGS = 180


def catalogue(seed: int = 0) -> Inputs:
    """Listings of six colours and four forms; a picture shows the colour above and the form below, with some noise."""
    draw = np.random.default_rng(seed)
    color, form = draw.integers(0, len(COLORS), LISTINGS), draw.integers(0, len(FORMS), LISTINGS)
    titles = [f"{COLORS[one]} {FORMS[other]} {n % 7}" for n, (one, other) in enumerate(zip(color, form, strict=True))]
    data = made(rows=LISTINGS)
    shades = np.random.default_rng(99)
    above, below = shades.normal(size=(len(COLORS), 12)), shades.normal(size=(len(FORMS), 12))
    regions = np.stack([above[color], above[color], below[form], below[form]], axis=1)
    regions = regions + 0.2 * draw.normal(size=regions.shape)
    words = dataclasses.replace(data.words, vocabulary=Vocabulary.learn(titles * 3, 120))
    return dataclasses.replace(
        data,
        words=words,
        text=words.vocabulary.encode([*titles, None], 6),
        listing=np.arange(LISTINGS),
        regions=np.concatenate([regions, np.full((1, 4, 12), np.nan)]).astype(np.float32),
        picture=np.arange(LISTINGS),
    )


def settings(family: str = "single", layers: int = 1, batch_size: int = 60, **changes: object) -> MultimodalSettings:
    network = FusionSettings(family=family, width=16, layers=layers, heads=2, dropout=0.0)
    schedule = Schedule(epochs=2, batch_size=batch_size, learning_rate=5e-3, device="cpu")
    return MultimodalSettings(**({"network": network, "schedule": schedule, "learners": "network"} | changes))


def masked_loss(learnt: Pretraining, data: Inputs) -> float:
    torch.manual_seed(0)
    learnt.eval()
    text = torch.from_numpy(data.text[data.listing])
    with torch.no_grad():
        return float(learnt.masked(text, torch.from_numpy(data.regions[data.picture])))


@pytest.fixture(scope="module")
def single() -> Pretraining:
    return learn_catalogue(catalogue(), settings(layers=2, batch_size=30), epochs=40)


def new_listings() -> Inputs:
    data, new = catalogue(), catalogue(seed=1)
    return dataclasses.replace(new, words=data.words, text=data.words.vocabulary.encode([*said(new), None], 6))


@pytest.mark.parametrize("family", ["single", "towers", "late"])
def test_pictures_are_found_by_words_and_hidden_words_are_told(family: str, single: Pretraining) -> None:
    data, new = catalogue(), new_listings()
    before = learn_catalogue(data, settings(family), epochs=1)
    learnt = single if family == "single" else learn_catalogue(data, settings(family), epochs=40)
    asked = [f"{color} {form}" for color in COLORS for form in FORMS]
    found, near = retrieve(learnt, new, asked, top=3)
    titles = said(new)
    there = [n for n, one in enumerate(asked) if any(one in title for title in titles)]
    # by chance one in twenty-four
    assert np.mean([[asked[n] in titles[place] for place in found[n]] for n in there]) > 0.5
    assert (np.diff(near, axis=1) <= 0).all()
    assert masked_loss(learnt, new) < 0.8 * masked_loss(before, new)


def test_a_title_is_nearer_to_its_own_picture_than_to_others(single: Pretraining) -> None:
    new = new_listings()
    with torch.no_grad():
        text = single.vectors("text", torch.from_numpy(new.text[:-1]))
        image = single.vectors("image", torch.from_numpy(new.regions[:-1]))
    near = (text @ image.T).numpy()
    assert np.diag(near).mean() > np.mean(near) + 0.5


def test_the_picture_helps_to_tell_a_hidden_word(single: Pretraining) -> None:
    data = catalogue()
    blind = dataclasses.replace(data, regions=np.full_like(data.regions, np.nan))
    assert masked_loss(single, data) < 0.9 * masked_loss(single, blind)


def said(data: Inputs) -> list[str]:
    """The titles of a catalogue, from its subwords."""
    words = data.words.vocabulary
    return ["".join(words.words(row[row > 0].tolist())).replace("▁", " ").strip() for row in data.text[:-1]]


def test_a_killed_pretraining_resumed_gives_the_unbroken_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, chosen = made(text=1.0, rows=400), settings(pretraining_epochs=4)
    whole = MultimodalModel(chosen).learn(data).predict(data)
    contrast = Pretraining.contrast
    for calls in (2, 1):
        monkeypatch.setattr(Pretraining, "contrast", killing(contrast, calls))
        with pytest.raises(KeyboardInterrupt):
            MultimodalModel(chosen).learn(data, tmp_path / "run")
        assert (tmp_path / "run-pretraining").exists()
    monkeypatch.undo()
    assert np.array_equal(MultimodalModel(chosen).learn(data, tmp_path / "run").predict(data), whole)
    assert not np.array_equal(MultimodalModel(settings()).learn(data).predict(data), whole)


def test_outcomes_are_not_read() -> None:
    data = catalogue()
    other = dataclasses.replace(data, showings=dataclasses.replace(data.showings, bought=~data.showings.bought))
    one, two = (learn_catalogue(given, settings(), epochs=2).state_dict() for given in (data, other))
    assert all(torch.equal(values, two[name]) for name, values in one.items())


def test_a_listing_without_title_or_picture_does_no_harm() -> None:
    data = catalogue()
    listing, picture = data.listing.copy(), data.picture.copy()
    listing[::3], picture[1::3] = LISTINGS, LISTINGS
    learnt = learn_catalogue(dataclasses.replace(data, listing=listing, picture=picture), settings(), epochs=2)
    assert all(torch.isfinite(values).all() for values in learnt.state_dict().values())
    bare = dataclasses.replace(data, picture=np.full(LISTINGS, LISTINGS))
    learnt = learn_catalogue(bare, settings(), epochs=2)
    assert retrieve(learnt, bare, ["red bag"], top=500)[0].shape == (1, LISTINGS)


def test_wrong_use_is_said() -> None:
    data = catalogue()
    network = Fusion(data.shape(), FusionSettings(width=16, heads=2), ("image", "offer"))
    with pytest.raises(DataError, match="nothing to pretrain on"):
        pretrain(network, data, 1, Schedule())
    frozen = dataclasses.replace(data, states={"text": np.zeros((LISTINGS + 1, 6, 4), np.float16)})
    with pytest.raises(UsageError, match="the network's own subwords"):
        retrieve(learn_catalogue(data, settings(), epochs=1), frozen, ["red"])
