"""How far a word's confidence can be trusted, and the scale that makes it a probability.

    python -m benchmarks.confidence PAIRS.jsonl [--hear CONDITION…] [--half] [--write]

``--hear`` recognises the corpus and the held-out calls under conditions of ``benchmarks/conditions.py`` (``clean``
first) and adds what came out to ``PAIRS.jsonl``; then, and without it, the scale is fitted on the file and judged:
fitted on the corpus and measured on the held-out calls and the real clips, and cross-validated by call over all.
What ships is fitted on all of it. ``--write`` stores it in ``models/asr/confidence.yaml``, the tables and diagrams
in ``docs/`` and a sample for the tests.
"""

import json
import sys
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.aligned import judged
from models.asr.confidence import Scale, features_of
from qa_service.domain.conversation import EngineRun, Transcript

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "models" / "asr" / "confidence.yaml"
DIAGRAM = ROOT / "docs" / "confidence.svg"
SAMPLE = ROOT / "tests" / "data" / "confidence.jsonl"
FITTED_SETS = ("mandarin_synth", "english_synth")
ENGINES = ("faster-whisper", "openai-whisper")
"""They share weights, words and scale: 206 of the 211 words of a call are the same in both, with probabilities
that differ by 0.016 in the mean (zh02, 2026-11-22)."""
BINS, FOLDS = 10, 5
SAMPLE_SIZE = 2000
UTTERANCE_PAUSE_S = 0.8
RIDGE = 1e-3

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """One recognised word: what the recogniser says about it (log-odds), and whether it was right.

    ``utterance`` numbers the speaker's words between pauses within the call.
    """

    call: str
    group: str
    condition: str
    language: str
    utterance: int
    features: tuple[float, float, float]
    heard: bool
    written: bool


def pairs_of(transcript: Transcript, said: str, *, call: str, group: str, condition: str) -> list[Pair]:
    """The words of one speaker whose confidence is the recogniser's own, made-up ones left out."""
    rows = []
    for segment in transcript.segments:
        features = features_of(
            segment.words,
            [w.confidence for w in segment.words],
            log_probability=segment.average_log_probability,
        )
        rows.extend(zip(segment.words, features, strict=True))
    rows.sort(key=lambda row: (row[0].start, row[0].end))
    found, utterance = [], transcript.channel * 10_000
    answers = judged([word.text for word, _ in rows], said, transcript.language)
    for index, ((word, features), answer) in enumerate(zip(rows, answers, strict=True)):
        if index and word.start - rows[index - 1][0].end > UTTERANCE_PAUSE_S:
            utterance += 1
        if answer is not None and word.confidence > 0:
            rounded = tuple(round(feature, 3) for feature in features)
            found.append(
                Pair(call, group, condition, transcript.language, utterance, rounded, answer.heard, answer.written)
            )
    return found


def fitted(features: Floats, right: Floats) -> Floats:
    """Weights of own, neighbour, window and the intercept: logistic regression by Newton's steps, a little ridge.

    A weight that would be negative is held at 0, so that the scale never falls when a probability rises.
    """
    used = [True, True, True]
    while True:
        columns = [i for i in range(3) if used[i]]
        design = np.column_stack([features[:, columns], np.ones(len(features))])
        weights = np.zeros(design.shape[1])
        penalty = RIDGE * np.diag([*[1.0] * len(columns), 0.0])
        for _ in range(40):
            expected = _logistic(design @ weights)
            gradient = design.T @ (expected - right) / len(right) + penalty @ weights
            curvature = (design.T * (expected * (1 - expected))) @ design / len(right) + penalty
            weights -= np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), gradient)
        negative = [column for column, weight in zip(columns, weights, strict=False) if weight < 0]
        if not negative:
            whole = np.zeros(4)
            whole[[*columns, 3]] = weights
            return whole
        for column in negative:
            used[column] = False


def _logistic(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float64)


def predicted(features: Floats, weights: Floats) -> Floats:
    return _logistic(features @ weights[:3] + weights[3])


def matrix(pairs: Sequence[Pair]) -> tuple[Floats, Floats]:
    return np.array([p.features for p in pairs], np.float64), np.array([p.heard for p in pairs], np.float64)


def calibration_error(confidence: Floats, right: Floats) -> float:
    """Expected calibration error over ten bins of equal width (Naeini et al. 2015)."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = (abs(confidence[bins == b].sum() - right[bins == b].sum()) for b in range(BINS))
    return float(sum(gaps) / len(right))


def cross_validated(pairs: Sequence[Pair]) -> Floats:
    """Each pair's confidence by the scale fitted on the other calls."""
    features, right = matrix(pairs)
    fold = np.array([zlib.crc32(p.call.encode()) % FOLDS for p in pairs])
    confidence = np.zeros(len(pairs))
    for k in range(FOLDS):
        if (fold == k).any():
            confidence[fold == k] = predicted(features[fold == k], fitted(features[fold != k], right[fold != k]))
    return confidence


def by_utterance(pairs: Sequence[Pair], confidence: Floats) -> tuple[Floats, Floats]:
    """Mean confidence and share of right words, an utterance of at least three words."""
    groups: dict[tuple[str, str, int], list[int]] = {}
    for index, pair in enumerate(pairs):
        groups.setdefault((pair.condition, pair.call, pair.utterance), []).append(index)
    right = matrix(pairs)[1]
    kept = [indices for indices in groups.values() if len(indices) >= 3]
    return np.array([confidence[i].mean() for i in kept]), np.array([right[i].mean() for i in kept])


def reliability(
    raw: Floats, scaled: Floats, right: Floats
) -> list[tuple[float, int, float | None, int, float | None]]:
    """``(bin's lower edge, words, share right)`` before and after."""
    rows = []
    for b in range(BINS):
        row: list[float | int | None] = [b / BINS]
        for confidence in (raw, scaled):
            inside = np.minimum((confidence * BINS).astype(int), BINS - 1) == b
            row += [int(inside.sum()), float(right[inside].mean()) if inside.any() else None]
        rows.append(tuple(row))
    return rows  # type: ignore[return-value]


def report(pairs: Sequence[Pair]) -> str:
    """The tables of ``docs/benchmarks.md``."""
    lines = ["| language | measured on | words | right | ECE before | after | utterances | ECE before | after |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    diagrams = []
    for language in ("zh", "en"):
        own = [p for p in pairs if p.language == language]
        inside = [p for p in own if p.group in FITTED_SETS]
        outside = [p for p in own if p.group not in FITTED_SETS]
        crossed = cross_validated(own)
        held = predicted(matrix(outside)[0], fitted(*matrix(inside)))
        lines.append(_row(language, "held-out calls, fitted on the corpus", outside, held))
        for condition in sorted({p.condition for p in own}, key=lambda c: (c != "clean", c)):
            picked = [i for i, p in enumerate(own) if p.condition == condition]
            lines.append(_row(language, f"{condition}, by call", [own[i] for i in picked], crossed[picked]))
        lines.append(_row(language, "all, by call", own, crossed))
        raw, right = _logistic(matrix(own)[0][:, 0]), matrix(own)[1]
        diagrams += ["", f"{language}: share right by confidence", ""]
        diagrams += ["| confidence | words before | right | words after | right |", "|---|---|---|---|---|"]
        diagrams += [
            f"| {low:.1f}–{low + 1 / BINS:.1f} | {n} | {_share(share)} | {m} | {_share(other)} |"
            for low, n, share, m, other in reliability(raw, crossed, right)
        ]
    return "\n".join([*lines, *diagrams])


def _row(language: str, name: str, pairs: Sequence[Pair], confidence: Floats) -> str:
    features, right = matrix(pairs)
    raw = _logistic(features[:, 0])
    before, after = by_utterance(pairs, raw), by_utterance(pairs, confidence)
    return (
        f"| {language} | {name} | {len(pairs)} | {right.mean():.3f} | {calibration_error(raw, right):.3f} "
        f"| {calibration_error(confidence, right):.3f} | {len(after[0])} | {calibration_error(*before):.3f} "
        f"| {calibration_error(*after):.3f} |"
    )


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.2f}"


def scales(pairs: Sequence[Pair], engine: EngineRun) -> list[Scale]:
    found = []
    engines = ENGINES if engine.engine in ENGINES else (engine.engine,)
    for name, language in product(engines, sorted({p.language for p in pairs}, reverse=True)):
        own, neighbour, window, intercept = fitted(*matrix([p for p in pairs if p.language == language])).tolist()
        found.append(
            Scale(
                engine=name,
                model=engine.model,
                revision=engine.revision,
                language=language,
                intercept=round(intercept, 3),
                own=round(own, 3),
                neighbour=round(neighbour, 3),
                window=round(window, 3),
            )
        )
    return found


def diagram(pairs: Sequence[Pair]) -> str:
    """Reliability before (grey) and after (blue), one panel a language, as SVG."""
    size, gap, parts = 260, 50, []
    for panel, language in enumerate(("zh", "en")):
        own = [p for p in pairs if p.language == language]
        raw, right, after = _logistic(matrix(own)[0][:, 0]), matrix(own)[1], cross_validated(own)
        left = gap + panel * (size + gap)
        parts.append(
            f'<g transform="translate({left},20)"><rect width="{size}" height="{size}" fill="none" stroke="#999"/>'
            f'<line x1="0" y1="{size}" x2="{size}" y2="0" stroke="#ccc"/>'
            f'<text x="{size / 2}" y="{size + 34}" text-anchor="middle">{language}: confidence</text>'
            f'<text x="-8" y="{size}" text-anchor="end">0</text><text x="-8" y="10" text-anchor="end">1</text>'
            f'<text x="-8" y="{size / 2}" text-anchor="end">right</text>'
        )
        for confidence, colour in ((raw, "#888"), (after, "#06c")):
            bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
            points = [
                (confidence[bins == b].mean(), right[bins == b].mean())
                for b in range(BINS)
                if (bins == b).sum() >= 20
            ]
            line = " ".join(f"{x * size:.1f},{size - y * size:.1f}" for x, y in points)
            parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append("</g>")
    width = gap + 2 * (size + gap)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{size + 70}" font-family="sans-serif" '
        f'font-size="12">{"".join(parts)}</svg>\n'
    )


def load(path: Path) -> tuple[EngineRun, list[Pair]]:
    """What ``save`` wrote: the engine, the columns, then a line a word."""
    engine, columns, *rows = map(json.loads, path.read_text("utf-8").splitlines())
    pairs = (dict(zip(columns, row, strict=True)) for row in rows)
    return EngineRun("asr", **engine), [Pair(**{**pair, "features": tuple(pair["features"])}) for pair in pairs]


def save(path: Path, engine: EngineRun, pairs: Iterable[Pair]) -> None:
    header = {name: getattr(engine, name) for name in ("engine", "model", "revision", "device")}
    columns = [field.name for field in fields(Pair)]
    lines = [header, columns, *([getattr(pair, name) for name in columns] for pair in pairs)]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), "utf-8")


def sampled(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """About ``count`` of the pairs, every n-th."""
    step = max(1, len(pairs) // count)
    return list(pairs[::step])


def write(engine: EngineRun, pairs: Sequence[Pair], *, today: str) -> None:
    conditions = sorted({p.condition for p in pairs}, key=lambda c: (c != "clean", c))
    calls = len({p.call for p in pairs})
    lines = [
        "# Written by `python -m benchmarks.confidence … --write`; docs/benchmarks.md says how good it is.",
        f'revision: "{today}"',
        f"fitted_on: {len(pairs)} words of {calls} calls and clips; conditions {', '.join(conditions)}",
        "scales:",
    ]
    for scale in scales(pairs, engine):
        row = ", ".join(f"{name}: {json.dumps(value)}" for name, value in scale.model_dump().items())
        lines.append(f"  - {{{row}}}")
    TABLE.write_text("\n".join(lines) + "\n", "utf-8")
    DIAGRAM.write_text(diagram(pairs), "utf-8")
    outside = [p for p in pairs if p.group in ("ordinary", "apart", "misleading")]
    save(SAMPLE, engine, sampled(outside, SAMPLE_SIZE))


def main() -> int:
    arguments = sys.argv[1:]
    flags = {a for a in arguments if a.startswith("--")}
    positional = [a for a in arguments if not a.startswith("--")]
    if not positional:
        print(__doc__)
        return 2
    path, *conditions = (Path(positional[0]), *positional[1:])
    if "--hear" in flags:
        from benchmarks.hearing import recognised

        engine, new = recognised(conditions or ["clean"], half="--half" in flags)
        old = load(path)[1] if path.exists() else []
        save(path, engine, [*(p for p in old if p.condition not in conditions), *new])
    engine, pairs = load(path)
    print(report(pairs))
    if "--write" in flags:
        from datetime import UTC, datetime

        write(engine, pairs, today=datetime.now(UTC).date().isoformat())
    return 0


if __name__ == "__main__":
    sys.exit(main())
