"""A hold with music is scored as a hold in silence is: music is nobody's speech, and the agent who
comes back is heard."""

from typing import Any

import numpy as np
import pytest
import soundfile as sf
import soxr

from tests.cli import json_lines, qa
from tests.corpus import example_call
from tests.e2e.runs import by_call, outcomes, result
from tests.sounds import SOUNDS
from tests.sounds.synthesis import RATE_HZ, Samples

pytestmark = pytest.mark.engine

HOLD_S = 60.0
ANNOUNCED_S, RESUMED_S = 77.0, 87.5
"""「请稍等。」 ends, 「让您久等了。」 begins: between them example call zh07 is silent."""


def with_hold(on_the_agents_side: Samples) -> tuple[Samples, int]:
    """The example call from before its hold, with another sound in the hold; and its sample rate."""
    call, rate_hz = sf.read(example_call("zh07"), dtype="float32", always_2d=True)
    sound = soxr.resample(on_the_agents_side, RATE_HZ, rate_hz)
    hold = np.stack([sound, np.zeros_like(sound)], axis=1)
    return np.concatenate(
        [call[: round(ANNOUNCED_S * rate_hz)], hold, call[round(RESUMED_S * rate_hz) :]]
    ), rate_hz


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("hold")
    for name, sound in (("silence", "silence"), ("band", "band"), ("piano", "piano")):
        samples, rate_hz = with_hold(SOUNDS[sound](HOLD_S))
        sf.write(folder / f"{name}.wav", samples, rate_hz)
    rows = "".join(f"{name}.wav,0,service,zh\n" for name in ("silence", "band", "piano"))
    (folder / "call_metadata.csv").write_text("file,agent_channel,purpose,language\n" + rows, "utf-8")
    done = qa("score", folder, "--format", "json", data=tmp_path_factory.mktemp("data"))
    assert done.returncode == 0, done.stderr
    return by_call(json_lines(done.stdout))


@pytest.mark.parametrize("music", ["band", "piano"])
def test_music_is_nobodys_talk_time(lines: dict[str, dict[str, Any]], music: str) -> None:
    silent, metrics = lines["silence"]["metrics"], lines[music]["metrics"]
    for role in ("agent", "customer"):
        assert metrics["talk_s"][role] == pytest.approx(silent["talk_s"][role], abs=1.0)
    assert metrics["dead_air_s"] == pytest.approx(silent["dead_air_s"], abs=0.5)


@pytest.mark.parametrize("music", ["band", "piano"])
def test_music_accuses_nobody(lines: dict[str, dict[str, Any]], music: str) -> None:
    """Nor does it take away: words may be recognised worse beside it, which is undetermined. That what was not
    sure without it is sure with it is chance, and no fault."""
    silent, with_music = outcomes(lines["silence"]), outcomes(lines[music])
    differ = {rule: with_music[rule] for rule in silent if with_music[rule] != silent[rule]}
    assert "not_met" not in differ.values()
    assert {outcome for rule, outcome in differ.items() if silent[rule] != "undetermined"} <= {"undetermined"}
    assert len(differ) <= 2
    # Waits before this hold are that call's own; after this one the agent excuses herself.
    for line in (lines["silence"], lines[music]):
        returns = result(line, "hold-resume")
        accused = [e["start"] for e in returns["evidence"]] if returns["outcome"] == "not_met" else []
        assert [start for start in accused if start > ANNOUNCED_S - 5.0] == []


def test_the_agent_who_comes_back_is_heard_from_the_first_word(lines: dict[str, dict[str, Any]]) -> None:
    """Up to the first pause the network was deaf to, after a minute of music and of silence alike."""
    for line in lines.values():
        said = [u for u in line["conversation"]["utterances"] if u["role"] == "agent"]
        assert not [u for u in said if ANNOUNCED_S < u["start"] < ANNOUNCED_S + HOLD_S - 1.0]
        back = next(u for u in said if u["start"] > ANNOUNCED_S + 1.0)
        assert back["start"] == pytest.approx(ANNOUNCED_S + HOLD_S + 88.0 - RESUMED_S, abs=0.3)
