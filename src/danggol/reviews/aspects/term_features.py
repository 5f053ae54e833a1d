"""What the tagger of terms sees at a token: the token, its neighbours, its edges and its shape, as features."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix

from danggol.reviews.aspects.term_tokens import Token

_EDGE = "⟂"
_UPPER, _LOWER, _DIGIT = re.compile(r"[A-Z]+"), re.compile(r"[a-z]+"), re.compile(r"\d+")
_RUN = 8
"""Characters of a run between spaces that count, from the token on either side."""


class TermFeatures:
    """The features that are known, each with its column."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = list(names)
        self._column = {name: nth for nth, name in enumerate(self.names)}

    def fit(self, sentences: Sequence[Sequence[Token]], fewest: int) -> None:
        """Learn the features that are at ``fewest`` tokens or more."""
        counts = Counter(name for tokens in sentences for names in features_of(tokens) for name in names)
        self.names = sorted(name for name, count in counts.items() if count >= fewest)
        self._column = {name: nth for nth, name in enumerate(self.names)}

    def rows(self, sentences: Sequence[Sequence[Token]]) -> csr_matrix:
        """(tokens, features): 1 where the token has the feature."""
        column, places, ends = self._column, [], [0]
        for tokens in sentences:
            for names in features_of(tokens):
                places += [column[name] for name in names if name in column]
                ends.append(len(places))
        shape = (len(ends) - 1, len(self.names))
        return csr_matrix((np.ones(len(places)), np.array(places, np.int64), np.array(ends, np.int64)), shape)


def features_of(tokens: Sequence[Token]) -> Iterator[list[str]]:
    """The names of each token's features."""
    words = [_EDGE] * 3 + [_DIGIT.sub("0", token.text.lower()) for token in tokens] + [_EDGE] * 3
    chunks = _chunks(tokens)
    for nth, token in enumerate(tokens):
        window = words[nth : nth + 7]
        first, before, here, after, last = window[1:6]
        found = ["", f"0 {here}", f"-1 {before}", f"+1 {after}", f"-2 {first}", f"+2 {last}"]
        found += [f"-10 {before} {here}", f"01 {here} {after}", f"-11 {before} {after}"]
        found += [f"-2-1 {first} {before}", f"12 {after} {last}"]
        if token.joined:
            found += _joined(token, window, chunks)
        else:
            found += _spaced(token, nth, window)
        yield found


def _spaced(token: Token, nth: int, window: Sequence[str]) -> list[str]:
    before, here, after = window[2:5]
    shape = _DIGIT.sub("0", _LOWER.sub("a", _UPPER.sub(lambda run: "A" if len(run.group()) == 1 else "AA", token.text)))
    found = [f"shape {shape}", f"pre3 {here[:3]}", f"pre4 {here[:4]}"]
    found += [f"end{count} {here[-count:]}" for count in (1, 2, 3, 4)]
    found += [f"-end3 {before[-3:]}", f"+end3 {after[-3:]}", f"ends {before[-2:]} {here[-2:]} {after[-2:]}"]
    if nth == 0:
        found.append("first")
    return found


def _joined(token: Token, window: Sequence[str], chunks: dict[int, str]) -> list[str]:
    far, first, before, here, after, last, farther = window
    found = [f"-3 {far}", f"+3 {farther}", f"-101 {before}{here}{after}", f"012 {here}{after}{last}"]
    found += [f"-210 {first}{before}{here}", f"123 {after}{last}{farther}", f"-3-2-1 {far}{first}{before}"]
    lead, rest = token.before[-_RUN:], token.after[:_RUN]
    found += [f"lead {lead}", f"rest {rest}", f"lead {lead}{here}", f"from {here}{rest}", f"run {lead}{here}{rest}"]
    found += [f"place {min(len(token.before), 4)}", f"left {min(len(token.after), 4)}"]
    last_run, next_run = chunks.get(token.chunk - 1, _EDGE), chunks.get(token.chunk + 1, _EDGE)
    found += [f"run- {last_run}", f"run+ {next_run}", f"run-end {last_run[-2:]}", f"run+start {next_run[:2]}"]
    found += [f"rest {rest} run+ {next_run[:2]}", f"lead {lead} run- {last_run[-2:]}"]
    return found


def _chunks(tokens: Sequence[Token]) -> dict[int, str]:
    """The runs between spaces that hold a joined character, by number."""
    found = {}
    for token in tokens:
        if token.chunk not in found:
            found[token.chunk] = f"{token.before}{token.text.lower()}{token.after}"[-2 * _RUN :]
    return found
