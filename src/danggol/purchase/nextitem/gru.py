"""GRU4Rec: a recurrent network over the items of a session, with sampled negatives.

Hidasi & Karatzoglou, "Recurrent neural networks with top-k gains for session-based recommendations", CIKM 2018; the
sampled softmax is corrected for how often an item is drawn (Yi et al., "Sampling-bias-corrected neural modeling",
RecSys 2019). Trained by ``danggol.training``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from danggol.purchase.nextitem.baselines import DenseBaseline
from danggol.purchase.nextitem.sessions import Codes, Sessions
from danggol.purchase.nextitem.sources import Sparse

if TYPE_CHECKING:
    from torch import Tensor, nn

_LONGEST = 12
"""Latest items of a session that the network reads."""
_HELD_OUT = 20
"""One session in so many is kept to stop on."""


class GRU4Rec(DenseBaseline):
    """The network over the items with ``least`` events or more; embeddings are shared by input and output."""

    name = "gru4rec"

    def __init__(
        self,
        own: float = 1.0,
        fading: float = 0.6,
        least: int = 2,
        width: int = 96,
        epochs: int = 8,
        batch_size: int = 512,
        negatives: int = 2048,
        dropout: float = 0.3,
        learning_rate: float = 2e-3,
        seed: int = 0,
    ) -> None:
        super().__init__(own, fading, least)
        self.width, self.epochs, self.batch_size, self.negatives = width, epochs, batch_size, negatives
        self.dropout, self.learning_rate, self.seed = dropout, learning_rate, seed

    def learn(self, sessions: Sessions) -> None:
        """Train."""
        import torch

        from danggol.training import Schedule, train

        torch.manual_seed(self.seed)
        self.keep(sessions)
        book = torch.from_numpy(self._padded(sessions.take(sessions.length > 1)))
        book = book[(book >= 0).sum(dim=1) > 1]
        self.network: nn.Module | None = None
        if len(book) < _HELD_OUT:
            return
        late = torch.arange(len(book)) % _HELD_OUT == 0
        rows, held = book[~late], book[late][:2000]
        network = self.network = _network(len(self.kept), self.width, self.dropout)
        often = torch.bincount(rows[rows >= 0], minlength=len(self.kept)).float() + 1.0
        share = often / often.sum()

        def loss(chosen: Codes) -> Tensor:
            return self._loss(rows[torch.from_numpy(chosen)], share)

        def score() -> float:
            out, last = self._out(held[:, :-1]), held[:, -1]
            better = (out > out.gather(1, last[:, None])).sum(dim=1)
            return float((better < 20).float().mean())

        schedule = Schedule(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            weight_decay=1e-4,
            patience=2,
            device="cpu",
            seed=self.seed,
        )
        train(network, loss, len(rows), schedule, score=score, name="gru4rec")

    def _padded(self, sessions: Sessions) -> Any:
        """Numbers of the latest modelled items (n, 12), the last at the end; -1 before the first."""
        item = np.where(sessions.item < self.items, sessions.item, self.items)
        number = self.number[item]
        known = number >= 0
        row, number = sessions.session[known], number[known]
        end = np.searchsorted(row, row, side="right")
        back = end - 1 - np.arange(len(row))
        out = np.full((len(sessions), _LONGEST), -1, np.int64)
        kept = back < _LONGEST
        out[row[kept], _LONGEST - 1 - back[kept]] = number[kept]
        return out

    def _loss(self, rows: Tensor, share: Tensor) -> Tensor:
        import torch
        import torch.nn.functional as nf

        network: Any = self.network
        states = network(rows[:, :-1])
        wanted = rows[:, 1:]
        there = (wanted >= 0) & (rows[:, :-1] >= 0)
        states, wanted = states[there], wanted[there]
        drawn = torch.multinomial(share, self.negatives, replacement=True)
        items = network.items.weight
        right = (states * items[wanted]).sum(dim=1) - share[wanted].log()
        wrong = states @ items[drawn].T - share[drawn].log()
        wrong = wrong.masked_fill(wanted[:, None] == drawn[None, :], -1e9)
        logits = torch.cat([right[:, None], wrong], dim=1)
        return nf.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))

    def _out(self, rows: Tensor) -> Tensor:
        network: Any = self.network
        return network(rows)[:, -1] @ network.items.weight.T  # type: ignore[no-any-return]

    def scores(self, sessions: Sessions) -> Sparse:
        """The network's scores; nothing for sessions without a modelled item."""
        import scipy.sparse as sp
        import torch

        if self.network is None:
            return sp.csr_array((len(sessions), self.items), dtype=np.float32)
        rows = self._padded(sessions)
        with torch.no_grad():
            dense = self._out(torch.from_numpy(rows)).numpy()
        return self.spread(dense, rows[:, -1] >= 0)


def _network(items: int, width: int, dropout: float) -> nn.Module:
    from torch import nn

    class Network(nn.Module):
        """Embedding, dropout, one GRU, a projection."""

        def __init__(self) -> None:
            super().__init__()
            self.items = nn.Embedding(items, width)
            nn.init.normal_(self.items.weight, std=width**-0.5)
            self.dropout = nn.Dropout(dropout)
            self.gru = nn.GRU(width, width, batch_first=True)
            self.out = nn.Linear(width, width)

        def forward(self, rows: Tensor) -> Tensor:
            """States (n, length, width) after each item; -1 is no item."""
            there = (rows >= 0).unsqueeze(2).float()
            states, _ = self.gru(self.dropout(self.items(rows.clamp(min=0)) * there))
            out: Tensor = self.out(self.dropout(states))
            return out

    return Network()
