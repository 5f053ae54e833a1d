"""The common space of texts and pictures, on pairs whose truth is known."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from danggol.encoders.contrast import TextPictureSpace
from danggol.encoders.contrast_settings import ContrastSettings
from danggol.errors import DataError, UsageError

SETTINGS = ContrastSettings(width=32, output=16, epochs=20, batch_size=64)


def made(count: int, seed: int = 0) -> tuple[csr_matrix, np.ndarray]:
    """Texts of three of twelve words each, and vectors that are a mixture of the same three, with noise."""
    mixing = np.random.default_rng(99).normal(size=(12, 20))
    draw = np.random.default_rng(seed)
    words = draw.random((count, 12)).argsort(axis=1)[:, :3]
    rows = np.zeros((count, 12), np.float32)
    np.put_along_axis(rows, words, 1 / np.sqrt(3), axis=1)
    vectors = rows @ mixing + 0.05 * draw.normal(size=(count, 20))
    return csr_matrix(rows), vectors.astype(np.float32)


@pytest.fixture(scope="module")
def space() -> TextPictureSpace:
    found = TextPictureSpace(SETTINGS)
    found.fit(*made(1000))
    return found


def test_a_text_lies_near_its_picture(space: TextPictureSpace) -> None:
    rows, vectors = made(300, seed=1)
    likeness = space.texts(rows) @ space.pictures(vectors).T
    best = likeness.argmax(axis=1)
    same = (rows.toarray() > 0)[best] == (rows.toarray() > 0)
    assert same.all(axis=1).mean() > 0.9
    np.testing.assert_allclose(np.linalg.norm(space.texts(rows), axis=1), 1, atol=1e-5)


def test_a_text_of_unknown_words_has_a_vector_too(space: TextPictureSpace) -> None:
    assert np.isfinite(space.texts(csr_matrix((2, 12), dtype=np.float32))).all()
    assert space.texts(csr_matrix((0, 12), dtype=np.float32)).shape == (0, space.output_dim)


def test_saved_weights_say_the_same_and_broken_ones_are_told(space: TextPictureSpace) -> None:
    rows, vectors = made(10, seed=2)
    again = TextPictureSpace.from_bytes(SETTINGS, space.to_bytes())
    np.testing.assert_array_equal(again.texts(rows), space.texts(rows))
    np.testing.assert_array_equal(again.pictures(vectors), space.pictures(vectors))
    with pytest.raises(DataError, match="damaged"):
        TextPictureSpace.from_bytes(SETTINGS, b"nothing")


def test_wrong_calls_are_told() -> None:
    rows, vectors = made(10)
    with pytest.raises(UsageError, match="row by row"):
        TextPictureSpace(SETTINGS).fit(rows, vectors[:5])
    with pytest.raises(UsageError, match="fit first"):
        TextPictureSpace(SETTINGS).texts(rows)
