"""Confidence that is a probability: what scaling keeps, and that it helps on words it was not fitted on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.confidence import Pair, calibration_error, fitted, load, matrix, predicted
from models.asr.confidence import RAW, ConfidenceScaling, Scale, ScaleTable, scaled, shipped_table
from models.asr.decoding import WhisperOptions
from models.asr.recogniser import WhisperRecogniser
from models.weights import WHISPER_BASE
from qa_service.domain.conversation import Word
from tests.models.asr.fake_runtime import FakeRuntime

SAMPLE = Path(__file__).parents[2] / "data" / "confidence.jsonl"
SCALE = Scale(
    engine="e", model="m", revision="r", language="zh", intercept=0.4, own=0.6, neighbour=0.2, window=0.9
)
weights = st.floats(0, 3)
probabilities = st.floats(0, 1)
texts = st.sampled_from(["好", "，", " OK", "5"])
spoken = st.lists(st.tuples(texts, probabilities), min_size=1, max_size=8)
log_probabilities = st.floats(-5, 0)


def words(said: list[tuple[str, float]]) -> list[Word]:
    return [Word(text, i, i + 1, probability) for i, (text, probability) in enumerate(said)]


def confidences(said: list[tuple[str, float]], scale: Scale = SCALE, log_probability: float = -0.3) -> list[float]:
    return [word.confidence for word in scaled(words(said), scale, log_probability=log_probability)]


@given(spoken, weights, weights, weights, st.floats(-5, 5), log_probabilities)
def test_a_confidence_is_a_probability(
    said: list[tuple[str, float]], own: float, neighbour: float, window: float, intercept: float, log_p: float
) -> None:
    scale = SCALE.model_copy(update={"own": own, "neighbour": neighbour, "window": window, "intercept": intercept})
    assert all(0 <= confidence <= 1 for confidence in confidences(said, scale, log_p))


@given(spoken, st.integers(0, 7), probabilities, log_probabilities, st.floats(0, 2))
def test_what_is_more_probable_is_never_less_sure(
    said: list[tuple[str, float]], index: int, higher: float, log_p: float, rise: float
) -> None:
    index %= len(said)
    text, probability = said[index]
    if probability == 0:
        return  # made up: another matter
    surer = [*said[:index], (text, max(probability, higher)), *said[index + 1 :]]
    before, after = (
        confidences(said, log_probability=log_p),
        confidences(surer, log_probability=min(0, log_p + rise)),
    )
    assert all(a <= b + 1e-12 for a, b in zip(before, after, strict=True))


def test_words_that_were_made_up_stay_so_and_keep_their_times() -> None:
    said = words([("好", 0.0), ("的", 0.7)])
    heard = scaled(said, SCALE, log_probability=-0.3)
    assert [(w.text, w.start, w.end) for w in heard] == [(w.text, w.start, w.end) for w in said]
    assert heard[0].confidence == 0
    assert heard[1].confidence not in (0, 0.7)


def test_a_doubtful_neighbour_casts_doubt_and_punctuation_does_not() -> None:
    alone = confidences([("好", 0.9)])[0]
    assert confidences([("好", 0.9), ("的", 0.2)])[0] < alone
    assert confidences([("好", 0.9), ("，", 0.2), ("的", 0.9)])[0] == pytest.approx(alone)


def test_a_model_that_was_not_fitted_keeps_its_own_probabilities() -> None:
    said = tuple(words([("好", 0.4), ("的", 1.0)]))
    for scaling in (RAW, ConfidenceScaling.of("faster-whisper", model="other", revision="x")):
        assert scaling(said, language="zh", log_probability=-0.3) == said
        assert scaling.revision == "none"
    table = ScaleTable(revision="1", fitted_on="", scales=(SCALE,))
    assert ConfidenceScaling.of("e", model="m", revision="r", table=table)(
        said, language="zh", log_probability=-0.3
    ) == scaled(said, SCALE, log_probability=-0.3)
    unfitted = ConfidenceScaling.of("e", model="m", revision="r", table=table)
    assert unfitted(said, language="en", log_probability=-0.3) == said


def test_the_run_tells_the_fit() -> None:
    assert dict(WhisperRecogniser(FakeRuntime()).run.options)["confidence"] == "none"
    known = FakeRuntime()
    known.engine, known.model = "faster-whisper", shipped_model(known)
    assert dict(WhisperRecogniser(known).run.options)["confidence"] == shipped_table().revision
    raw = WhisperRecogniser(known, options=WhisperOptions(scale_confidence=False))
    assert dict(raw.run.options)["confidence"] == "none"


def shipped_model(runtime: FakeRuntime):  # type: ignore[no-untyped-def]
    return type(runtime.model)("base", runtime.model.path, WHISPER_BASE.revision)


@pytest.fixture(scope="module")
def sample() -> list[Pair]:
    """Words of the held-out calls, clean and damaged, each with whether it was right."""
    return load(SAMPLE)[1]


@pytest.mark.parametrize(("language", "ceiling"), [("zh", 0.02), ("en", 0.04)])
def test_the_shipped_scale_is_calibrated(sample: list[Pair], language: str, ceiling: float) -> None:
    features, right = matrix([pair for pair in sample if pair.language == language])
    (scale,) = (s for s in shipped_table().scales if (s.engine, s.language) == ("faster-whisper", language))
    weighed = np.array([scale.own, scale.neighbour, scale.window, scale.intercept])
    before = calibration_error(1 / (1 + np.exp(-features[:, 0])), right)
    after = calibration_error(predicted(features, weighed), right)
    assert after < ceiling < before


def test_a_fit_finds_what_made_the_data() -> None:
    rng = np.random.default_rng(5)
    features = rng.normal(0, 2, (40_000, 3))
    true = np.array([0.7, 0.3, 1.1, -0.5])
    right = (rng.random(len(features)) < predicted(features, true)).astype(float)
    assert fitted(features, right) == pytest.approx(true, abs=0.08)
    assert calibration_error(predicted(features, fitted(features, right)), right) < 0.01


def test_a_fit_never_turns_a_probability_round() -> None:
    rng = np.random.default_rng(6)
    features = rng.normal(0, 1, (5_000, 3))
    right = (rng.random(len(features)) < predicted(features, np.array([1.0, -0.8, 0.5, 0.2]))).astype(float)
    own, neighbour, window, _ = fitted(features, right)
    assert neighbour == 0
    assert min(own, window) > 0.3
