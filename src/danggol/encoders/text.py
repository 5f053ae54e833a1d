"""Texts as subword tokens, from a vocabulary that the shop's own text makes: any language, no download.

Byte-pair encoding over Unicode characters (Sennrich, Haddow & Birch, ACL 2016), by the library ``tokenizers``. Texts
are put into NFKC and lower case first, so that full-width letters and capitals of two sellers are the same word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from danggol.errors import DataError

PAD, UNKNOWN, MASK = 0, 1, 2
_SPECIAL = ["[PAD]", "[UNK]", "[MASK]"]
Tokens = NDArray[np.int64]


class Vocabulary:
    """A subword vocabulary; :meth:`encode` gives rows of equal length."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def learn(cls, texts: Iterable[str | None], size: int = 8000) -> Vocabulary:
        """Learn at most ``size`` subwords from texts."""
        tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Metaspace(), pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Punctuation()]
        )
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.BpeTrainer(
            vocab_size=size, min_frequency=2, special_tokens=_SPECIAL, show_progress=False, limit_alphabet=4000
        )
        tokenizer.train_from_iterator((text for text in texts if text), trainer)
        return cls(tokenizer)

    def __len__(self) -> int:
        return int(self._tokenizer.get_vocab_size())

    def encode(self, texts: Sequence[str | None], length: int) -> Tokens:
        """Token ids (texts, length): the first ``length`` tokens, then :data:`PAD`; a missing text is all PAD."""
        rows = np.full((len(texts), length), PAD, np.int64)
        for place, found in enumerate(self._tokenizer.encode_batch([text or "" for text in texts])):
            ids = found.ids[:length]
            rows[place, : len(ids)] = ids
        return rows

    def words(self, tokens: Sequence[int]) -> list[str]:
        """The subwords behind token ids, as they are written; word starts keep their mark."""
        return [self._tokenizer.id_to_token(int(one)) or "" for one in tokens]

    def to_json(self) -> str:
        """The vocabulary as text."""
        return str(self._tokenizer.to_str())

    @classmethod
    def from_json(cls, text: str, where: Path | str = "the vocabulary") -> Vocabulary:
        """Read what :meth:`to_json` wrote; DataError where it is damaged."""
        try:
            json.loads(text)
            return cls(Tokenizer.from_str(text))
        except Exception as error:
            raise DataError(f"{where} is damaged ({str(error)[:80]}); train the model again") from error
