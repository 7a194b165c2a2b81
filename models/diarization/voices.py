"""Telling voices apart: from embeddings of short windows to a voice for each.

Guarantee: pure and deterministic.

Voices are clustered with a hidden Markov chain over overlapping windows of a second rather than over the speakers
of a segmentation's chunks: where the segmentation does not hear a change of voice, its chunk speakers are
mixtures, which no clustering takes apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

NOBODY = -1
_MOST_SEGMENTS = 800  # linkage takes their square in memory
_MOST_ROUNDS = 12
_MOST_EXPECTED = 10  # time grows with their number, and metadata may say anything


@dataclass(frozen=True, slots=True)
class VoiceOptions:
    """``weight``: of a window's cosine similarity, against ``stay_cost``: of a change of voice where the
    segmentation hears the same speaker on both sides, falling to ``change_cost`` where it hears another.

    ``same_voice``: two clusters whose centroids are more alike are one voice; ``further_voice`` is the stricter
    limit for a third voice, of which at least ``further_voice_s`` must be heard, and for a second one of which
    less is heard. On single channels of real and synthetic calls two halves of one voice were alike by 0.86 to
    0.97, but by 0.73 to 0.83 where one "half" lasted a second or two; two people were by 0.63 to 0.85.
    """

    hop_s: float = 0.1
    window_s: float = 1.0
    weight: float = 10.0
    stay_cost: float = 2.0
    change_cost: float = 0.2
    same_voice: float = 0.85
    further_voice: float = 0.78
    further_voice_s: float = 4.0
    most_voices: int = 4


def tell_apart(
    embeddings: Floats,
    clean: NDArray[np.bool_],
    continuity: Floats,
    *,
    expected: int | None,
    options: VoiceOptions,
) -> Labels:
    """A voice for each window in which one person speaks.

    Args:
        embeddings: float32 (window, dimension), one a hop.
        clean: (window,), whether exactly one person speaks at its middle.
        continuity: float32 (window,) in [0, 1], how surely the window before has the same speaker.
        expected: number of voices when it is known.

    Returns:
        int64 (window,): 0 … n-1 in order of first appearance, ``NOBODY`` where ``clean`` is False.
    """
    labels = np.full(len(embeddings), NOBODY, dtype=np.int64)
    where = np.flatnonzero(clean)
    if not len(where):
        return labels
    chain = _Chain(_unit(embeddings[where]), continuity[where], options)
    found = _as_heard(chain, options) if expected is None else _as_told(chain, expected)
    labels[where] = _in_order_of_appearance(found)
    return labels


def _as_heard(chain: "_Chain", options: VoiceOptions) -> Labels:
    """As many voices as are distinct."""
    found = chain.one_voice
    for voices in range(2, options.most_voices + 1):
        split = chain.split(voices)
        if split is None or not _distinct(split, voices, options):
            break
        found = split[0]
    return found


def _as_told(chain: "_Chain", expected: int) -> Labels:
    """As many voices as expected, or the most that can be told apart at all."""
    for voices in range(min(expected, _MOST_EXPECTED), 1, -1):
        split = chain.split(voices)
        if split is not None:
            return split[0]
    return chain.one_voice


def _distinct(split: tuple[Labels, Floats], voices: int, options: VoiceOptions) -> bool:
    labels, centroids = split
    alike = (centroids @ centroids.T)[np.triu_indices(voices, 1)].max()
    rarest_s = np.bincount(labels, minlength=voices).min() * options.hop_s
    if rarest_s < options.further_voice_s:
        return bool(voices == 2 and rarest_s >= options.window_s and alike <= options.further_voice)
    return bool(alike <= (options.same_voice if voices == 2 else options.further_voice))


class _Chain:
    """The windows of one recording as a hidden Markov chain over voices."""

    def __init__(self, embeddings: Floats, continuity: Floats, options: VoiceOptions) -> None:
        self._embeddings = embeddings
        self._options = options
        self._switch: list[float] = (
            options.change_cost + (options.stay_cost - options.change_cost) * continuity
        ).tolist()

    @property
    def one_voice(self) -> Labels:
        return np.zeros(len(self._embeddings), dtype=np.int64)

    def split(self, voices: int) -> tuple[Labels, Floats] | None:
        """The most probable assignment to ``voices`` voices, and their centroids; None with too few windows."""
        best: tuple[float, Labels, Floats] | None = None
        seen: set[bytes] = set()
        for centroids in self._starts(voices):
            settled = self._settle(centroids, seen)
            if settled and len(np.unique(settled[1])) == voices and (best is None or settled[0] > best[0]):
                best = settled
        return None if best is None else best[1:]

    def _starts(self, voices: int) -> Iterator[Floats]:
        """Centroids to start from: hierarchical clusterings of stretches of one and two seconds."""
        for stretch_s in (1.0, 2.0):
            hops = max(round(stretch_s / self._options.hop_s), -(-len(self._embeddings) // _MOST_SEGMENTS))
            stretches = _unit(np.add.reduceat(self._embeddings, range(0, len(self._embeddings), hops), axis=0))
            if len(stretches) < voices:
                continue
            for method in ("average", "complete", "ward"):
                groups = fcluster(linkage(stretches, method=method), voices, criterion="maxclust") - 1
                if len(np.unique(groups)) == voices:
                    yield _unit(np.stack([stretches[groups == voice].mean(axis=0) for voice in range(voices)]))

    def _settle(self, centroids: Floats, seen: set[bytes]) -> tuple[float, Labels, Floats] | None:
        """Viterbi training: assign, move the centroids, until nothing changes.

        None as soon as an assignment is in ``seen``: an earlier start went on from it.
        """
        labels: Labels = np.zeros(0, dtype=np.int64)
        score = 0.0
        for _ in range(_MOST_ROUNDS):
            score, again = _viterbi(self._options.weight * (self._embeddings @ centroids.T), self._switch)
            if np.array_equal(again, labels) or len(np.unique(again)) < len(centroids):
                return score, again, centroids
            key = _in_order_of_appearance(again).astype(np.uint8).tobytes()
            if key in seen:
                return None
            seen.add(key)
            labels = again
            centroids = _unit(
                np.stack([self._embeddings[labels == voice].sum(axis=0) for voice in range(len(centroids))])
            )
        return score, labels, centroids


def _viterbi(gain: Floats, switch: list[float]) -> tuple[float, Labels]:
    """Best path through ``gain`` (window, voice) where changing before window i costs ``switch[i]``."""
    rows = gain.tolist()  # plain floats: a loop over them is five times as fast as over rows of an array
    score = rows[0]
    came_from: list[list[int]] = []
    for row, cost in zip(rows[1:], switch[1:], strict=True):
        top = max(range(len(score)), key=score.__getitem__)
        jump = score[top] - cost
        came_from.append([k if score[k] >= jump else top for k in range(len(row))])
        score = [max(score[k], jump) + value for k, value in enumerate(row)]
    voice = max(range(len(score)), key=score.__getitem__)
    total = score[voice]
    path = [voice]
    for step in reversed(came_from):
        voice = step[voice]
        path.append(voice)
    return total, np.array(path[::-1], dtype=np.int64)


def _in_order_of_appearance(labels: Labels) -> Labels:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), dtype=np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    ordered: Labels = ranks[inverse]
    return ordered


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled
