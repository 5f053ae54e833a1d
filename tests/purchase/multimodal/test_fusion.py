"""The network: what is hidden has no say, what is missing is borne, and each family is what it claims to be."""

import numpy as np
import pytest
import torch
from torch import Tensor

from danggol.purchase.multimodal.fusion import MODALITIES, PERSON, Fusion, FusionSettings, Numbers, Shape

SHAPE = Shape(
    vocabulary=20,
    text_tokens=5,
    regions=4,
    pixels=12,
    events=3,
    event_sizes=[4, 6],
    offer=3,
    behaviour=2,
    customer=2,
    tastes={"person": [["behaviour"]], "colour": [["behaviour", "text"], ["behaviour", "text", "customer"]]},
)
FAMILIES = ("single", "towers", "late")
ROWS = 7


def batch(seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {
        "text": torch.randint(1, 20, (ROWS, 5)),
        "image": torch.randn(ROWS, 4, 12),
        "events": torch.stack([torch.randint(1, 4, (ROWS, 3)), torch.randint(1, 6, (ROWS, 3))], 2),
        "offer": torch.randn(ROWS, 3),
        "behaviour": torch.randn(ROWS, 2),
        "customer": torch.randn(ROWS, 2),
        "tastes": torch.randn(ROWS, 3),
    }


def network(family: str, **settings: float) -> Fusion:
    torch.manual_seed(1)
    made = Fusion(SHAPE, FusionSettings(**({"family": family, "width": 16, "layers": 1} | settings)))
    for numbers in made.tokens.features.values():
        numbers.edges.copy_(torch.linspace(-2, 2, numbers.edges.shape[1]).expand_as(numbers.edges))
    return made.eval()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", MODALITIES)
def test_a_hidden_modality_has_no_say_and_a_shown_one_has(family: str, name: str) -> None:
    model, one, other = network(family), batch(), batch()
    other[name] = batch(5)[name]
    assert not torch.allclose(model(one), model(other))
    hidden = frozenset([name])
    assert torch.allclose(model(one, hidden), model(other, hidden), atol=1e-6)
    absent = {key: values for key, values in one.items() if key != name}
    assert torch.allclose(model(one, hidden), model(absent, hidden), atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_at_all_still_gives_an_answer(family: str) -> None:
    model = network(family)
    odds = model(batch(), frozenset(MODALITIES))
    assert odds.shape == (ROWS,)
    assert torch.isfinite(odds).all()
    assert torch.allclose(odds, odds[0].expand(ROWS))


@pytest.mark.parametrize("family", FAMILIES)
def test_missing_texts_pictures_events_and_numbers_are_borne(family: str) -> None:
    empty = batch()
    empty["text"][0], empty["events"][1], empty["image"][2], empty["offer"][3, 1] = 0, 0, torch.nan, torch.nan
    odds = network(family)(empty)
    assert torch.isfinite(odds).all()
    odds.sum().backward()


def test_what_follows_the_end_of_a_text_does_not_matter() -> None:
    model, one = network("single"), batch()
    one["text"][:, 3:] = 0
    short = dict(one, text=one["text"][:, :3])
    assert torch.allclose(model(one), model(short), atol=1e-6)


def test_the_towers_do_not_see_each_other() -> None:
    model, one, other = network("towers"), batch(), batch()
    for name in PERSON:
        other[name] = batch(5)[name]
    found = [model.embed(model.read_tokens(given), "listing", ROWS) for given in (one, other)]
    assert torch.allclose(*found)
    assert not torch.allclose(*[model.embed(model.read_tokens(given), "person", ROWS) for given in (one, other)])


def test_late_fusion_adds_up() -> None:
    model, one = network("late"), batch()
    del one["tastes"]
    others = [model(one, frozenset(MODALITIES) - {name}) - model.base[0] for name in MODALITIES]
    assert torch.allclose(model(one), model.base[0] + torch.stack(others).sum(0), atol=1e-5)


@pytest.mark.parametrize("family", ["single", "late"])
def test_a_taste_is_hidden_with_any_modality_that_it_needs(family: str) -> None:
    model, one = network(family), batch()
    for place, needs in enumerate([{"behaviour"}, {"behaviour", "text"}, {"behaviour", "text", "customer"}]):
        other = dict(one, tastes=one["tastes"].clone())
        other["tastes"][:, place] += 1.0
        assert not torch.allclose(model(one), model(other))
        for name in MODALITIES:
            same = torch.allclose(model(one, frozenset([name])), model(other, frozenset([name])), atol=1e-6)
            assert same == (name in needs)


def test_attention_sums_to_one_and_leaves_out_what_is_not_there() -> None:
    model, one = network("single"), batch()
    one["text"][:, 3:] = 0
    tokens, there = model.joined(found := model.read_tokens(one), tuple(found), ROWS)
    _, attention = model.towers["all"].read(tokens, there)
    assert torch.allclose(attention.sum(dim=2), torch.ones(ROWS, attention.shape[1]), atol=1e-5)
    assert (attention[:, :, 1:].transpose(1, 2)[~there] == 0).all()


def test_a_modality_left_out_for_good_is_not_looked_at() -> None:
    torch.manual_seed(1)
    model = Fusion(SHAPE, FusionSettings(width=16, layers=1), only=("text",)).eval()
    one, other = batch(), batch(5)
    other["text"] = one["text"]
    assert torch.allclose(model(one), model(other))


def test_modality_dropout_hides_some_and_never_all() -> None:
    model = network("single", modality_dropout=0.3).train()
    found = model.read_tokens({name: values.repeat(200, *[1] * (values.ndim - 1)) for name, values in batch().items()})
    there = torch.stack([mask.any(dim=1) for name, (_, mask) in found.items() if name != "tastes"], 1)
    assert there.any(dim=1).all()
    assert 0.65 < there.float().mean() < 0.75


def test_numbers_are_ordered_by_their_quantiles() -> None:
    numbers = Numbers(1, 4, 8)
    numbers.edges.copy_(torch.tensor([[0.0, 1.0, 1.0, 2.0, 4.0]]))
    with torch.no_grad():
        numbers.weight.copy_(torch.ones(1, 4, 8))
        numbers.bias.zero_()
    values = torch.tensor([[-5.0], [0.0], [0.5], [1.0], [1.5], [2.0], [3.0], [99.0]])
    told = numbers(values)[:, 0, 0].detach().numpy()
    assert (np.diff(told) >= 0).all()
    assert told[0] == told[1] == 0
    assert told[-1] == 4
    assert not torch.allclose(numbers(torch.tensor([[torch.nan]])), numbers(torch.tensor([[0.0]])))
