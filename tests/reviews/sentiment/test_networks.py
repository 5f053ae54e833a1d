import numpy as np
import pytest
import torch

from danggol.reviews.sentiment.networks import TextNetwork
from danggol.reviews.sentiment.pretraining import by_length
from danggol.reviews.sentiment.settings import NETWORKS, SentimentSettings
from danggol.reviews.sentiment.vectors import token_vectors

SETTINGS = SentimentSettings(width=8, units=4, layers=2, length=20)


@pytest.mark.parametrize("kind", NETWORKS)
def test_scores_do_not_depend_on_padding_or_company(kind: str) -> None:
    torch.manual_seed(0)
    network = TextNetwork(50, 3, SETTINGS, kind).eval()
    tokens = torch.randint(3, 50, (7, 12))
    tokens[torch.arange(12)[None, :] >= torch.tensor([12, 1, 5, 0, 3, 8, 2])[:, None]] = 0
    with torch.no_grad():
        whole = by_length(network, tokens)
        alone = torch.cat([network(row[None, : max(int((row != 0).sum()), 1)]) for row in tokens])
    assert whole.shape == (7, 3)
    assert torch.allclose(whole, alone, atol=1e-5)


def test_vectors_of_tokens_in_like_company_are_alike() -> None:
    rng = np.random.default_rng(0)
    # 5 and 6 stand beside 10 to 14, 7 beside 20 to 24
    first = np.column_stack([rng.integers(10, 15, 400), rng.choice([5, 6], 400), rng.integers(10, 15, 400)])
    second = np.column_stack([rng.integers(20, 25, 400), np.full(400, 7), rng.integers(20, 25, 400)])
    found = token_vectors(np.concatenate([first, second]), 30, 4)
    close = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    assert close[5] @ close[6] > 0.9
    assert close[5] @ close[7] < 0.5
    assert (found[0] == 0).all()
