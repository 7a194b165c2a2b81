"""How well speech was heard, by the field's tools: who said what (meeteval), who spoke when (pyannote.metrics).

meeteval comes with the extra ``evaluation``: it is built when it is installed, so a set-up does not include it.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.text import tokens

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of words, or characters, over how many were said."""

    insertions: int = 0
    deletions: int = 0
    substitutions: int = 0
    said: int = 0

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(
            self.insertions + other.insertions,
            self.deletions + other.deletions,
            self.substitutions + other.substitutions,
            self.said + other.said,
        )

    @property
    def rate(self) -> float:
        return (self.insertions + self.deletions + self.substitutions) / self.said


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of speech, each speaker's own: those where two speak count twice.

    ``confused``, ``missed`` and ``invented`` are the diarization error, the speakers matched as they fit best;
    ``own_role`` and ``other_role`` go by the roles given.
    """

    said: float = 0.0
    confused: float = 0.0
    missed: float = 0.0
    invented: float = 0.0
    own_role: float = 0.0
    other_role: float = 0.0

    def __add__(self, other: "Times") -> "Times":
        return Times(
            self.said + other.said,
            self.confused + other.confused,
            self.missed + other.missed,
            self.invented + other.invented,
            self.own_role + other.own_role,
            self.other_role + other.other_role,
        )

    @property
    def diarization_error(self) -> float:
        return (self.confused + self.missed + self.invented) / self.said

    @property
    def role_accuracy(self) -> float | None:
        """Of the speech that was given the role of either."""
        given = self.own_role + self.other_role
        return self.own_role / given if given else None


def speaker(utterance: Document) -> str:
    """Who speaks, as far as is known: the role, or a voice without one."""
    role = utterance["role"]
    if role != "unknown":
        return str(role)
    return f"channel {utterance['channel']} speaker {utterance['speaker']}"


def word_errors(truth: Document, utterances: Sequence[Document]) -> Errors:
    """Concatenated minimum-permutation errors: each speaker's words in a row, speakers matched as they fit best.

    Raises:
        SystemExit: the extra ``evaluation`` is not installed.
    """
    try:
        from meeteval.wer import cp_word_error_rate
    except ImportError as error:
        raise SystemExit("meeteval is not installed: pip install -c constraints.txt '.[evaluation]'") from error
    said: dict[str, list[str]] = {}
    for utterance in truth["utterances"]:
        said.setdefault(utterance["role"], []).extend(tokens(_said(utterance), truth["language"]))
    heard: dict[str, list[str]] = {}
    for utterance in sorted(utterances, key=lambda u: float(u["start"])):
        heard.setdefault(speaker(utterance), []).extend(tokens(utterance["text"], truth["language"]))
    counted = cp_word_error_rate(_spaced(said), _spaced(heard), reference_sort=False, hypothesis_sort=False)
    return Errors(counted.insertions, counted.deletions, counted.substitutions, counted.length)


def _said(utterance: Document) -> str:
    return str(utterance.get("say") or utterance["text"])


def _spaced(words: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {who: " ".join(said) for who, said in words.items()}


def spoken_times(truth: Document, utterances: Sequence[Document]) -> Times:
    """The utterances found beside the true turns: no collar, overlapping speech included."""
    os.environ["PYANNOTE_METRICS_ENABLED"] = (
        "0"  # pyannote.audio, which shares the name space, reports usage otherwise
    )
    from pyannote.core import Annotation, Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate
    from pyannote.metrics.identification import IdentificationErrorRate

    reference, found = Annotation(), Annotation()
    for annotation, spoken in ((reference, truth["utterances"]), (found, utterances)):
        for track, utterance in enumerate(spoken):
            annotation[Segment(utterance["start"], utterance["end"]), track] = speaker(utterance)
    whole = Timeline([Segment(0, truth["duration"])])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matched = DiarizationErrorRate(collar=0.0)(reference, found, uem=whole, detailed=True)
        named = IdentificationErrorRate(collar=0.0)(
            reference, found.subset(["agent", "customer"]), uem=whole, detailed=True
        )
    return Times(
        said=matched["total"],
        confused=matched["confusion"],
        missed=matched["missed detection"],
        invented=matched["false alarm"],
        own_role=named["correct"],
        other_role=named["confusion"],
    )
