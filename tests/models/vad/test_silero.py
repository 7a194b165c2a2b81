"""The voice activity network: streaming changes nothing, and no sound but speech is speech."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.channels.inspector import SignalInspector
from models.vad.regions import RegionOptions
from models.vad.silero import BLOCK_FRAMES, CONTEXT, FRAME, SileroVad
from qa_service.domain.faults import ChannelInspection, ChannelSignal, FaultOptions, channel_faults, leaked
from qa_service.domain.timeline import difference, intersection, total_s
from tests.builders import spans
from tests.channel_faults import CASES, cross_talk, faint, samples_of
from tests.corpus import example_call
from tests.signals import NOT_SPEECH, RATE_HZ, ArrayAudio, clip_of, line_noise

engine = pytest.mark.engine


class Listening:
    """The network, remembering what it is given."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.given: list[NDArray[np.float32]] = []

    def run(self, names: None, inputs: dict[str, NDArray[np.float32]]) -> Any:
        self.given.append(inputs["input"][:, CONTEXT:])
        return self._session.run(names, inputs)


@engine
def test_streaming_equals_one_pass_of_the_library() -> None:
    """20 s of a call, repeated over the edges of two blocks (65.5 s each) and cut inside a frame."""
    from faster_whisper.vad import get_vad_model

    call = clip_of("zh01", 0.0, 20.0)[0]
    samples = np.tile(call, 8)[: 2 * BLOCK_FRAMES * FRAME + 5 * RATE_HZ + 100]
    vad = SileroVad()
    listening = Listening(get_vad_model().session)
    vad.__dict__["_session"] = listening
    streamed, levels = vad._channel(ArrayAudio(samples), 0)

    assert len(listening.given) == 3
    given = np.concatenate(listening.given)
    # The library blanks the end of the last frame in place: one more frame takes the damage.
    whole = np.append(given.reshape(-1), np.zeros(FRAME, np.float32))
    expected = np.asarray(get_vad_model()(whole), np.float32).reshape(-1)[:-1]
    assert streamed.shape == levels.shape == (-(-len(samples) // FRAME),)
    np.testing.assert_allclose(streamed, expected, atol=1e-4)
    assert streamed.max() > 0.9
    assert streamed.min() < 0.1


@engine
@pytest.mark.parametrize("name", NOT_SPEECH)
def test_what_is_no_speech(vad: SileroVad, name: str) -> None:
    (activity,) = vad.detect(ArrayAudio(NOT_SPEECH[name](20.0)))
    assert (activity.channel, activity.spans, activity.level_dbfs) == (0, (), None)


@engine
def test_each_channel_carries_its_own_speaker(vad: SileroVad) -> None:
    """Of an example call the agent's channel alone, the other one a silent line."""
    call = clip_of("zh01", 0.0, 20.0)[0]
    left, right = vad.detect(ArrayAudio(np.stack([call, line_noise(20.0)])))
    assert (left.channel, right.channel) == (0, 1)
    assert total_s(left.spans) > 3.0
    assert right.spans == ()
    swapped = vad.detect(ArrayAudio(np.stack([line_noise(20.0), call])))
    assert [a.spans for a in swapped] == [right.spans, left.spans]


@engine
def test_the_other_speakers_echo_is_no_speech(vad: SileroVad) -> None:
    call = clip_of("zh01", 0.0, 20.0)[0]
    echo = (0.05 * call + 0.1 * line_noise(20.0)).astype(np.float32)  # 26 dB below
    alone = vad.detect(ArrayAudio(echo))[0]
    assert total_s(alone.spans) > 1.0
    left, right = vad.detect(ArrayAudio(np.stack([call, echo])))
    assert total_s(left.spans) > 3.0
    assert right.spans == ()


@engine
def test_a_louder_channel_is_louder_by_as_much(vad: SileroVad) -> None:
    call = 0.5 * clip_of("zh01", 0.0, 20.0)[0]
    (quiet,), (loud,) = vad.detect(ArrayAudio(call / 2)), vad.detect(ArrayAudio(call))
    assert quiet.level_dbfs is not None
    assert loud.level_dbfs is not None
    assert loud.level_dbfs - quiet.level_dbfs == pytest.approx(6.0, abs=0.5)


@engine
def test_what_is_known_to_leak_is_no_speech(vad: SileroVad) -> None:
    call = clip_of("zh01", 0.0, 20.0)
    (left, right) = vad.detect(ArrayAudio(call))
    again, without = vad.detect(ArrayAudio(call), leaked=[(), spans((0.0, 20.0))])
    assert (again, without.spans) == (left, ())
    first = right.spans[0]
    (_, later) = vad.detect(ArrayAudio(call), leaked=[(), (first,)])
    assert total_s(right.spans) - total_s(later.spans) == pytest.approx(first.duration_s, abs=0.3)


@engine
@pytest.mark.parametrize("seed", range(4))
def test_speech_that_leaks_is_nobodys_and_speech_over_it_somebodys(vad: SileroVad, seed: int) -> None:
    """Both ways at −10 dB: as much speech as without it, to a twentieth; without the gate seconds more."""
    clean = vad.detect(ArrayAudio(cross_talk(seed, level_db=-120.0, both=True).samples))
    audio = ArrayAudio(cross_talk(seed, level_db=-10.0, both=True).samples)
    found = SignalInspector().inspect(audio)
    gates = leaked(found, duration_s=audio.duration_s, options=FaultOptions())
    for before, ungated, gated in zip(clean, vad.detect(audio), vad.detect(audio, leaked=gates), strict=True):
        assert total_s(difference(ungated.spans, before.spans)) > 3.0
        assert total_s(difference(gated.spans, before.spans)) < 0.06 * total_s(before.spans) + 0.5
        assert total_s(difference(before.spans, gated.spans)) < 0.02 * total_s(before.spans) + 0.2


@engine
def test_people_who_talk_at_once_survive_the_gate(vad: SileroVad) -> None:
    """The call of the interruptions, with its true overlaps, leaking both ways at −10 dB."""
    call = samples_of(example_call("zh04"), most_s=70.0)
    leak = 10 ** (-10 / 20) * call[::-1]
    leak = np.concatenate([np.zeros((2, 200), np.float32), leak[:, :-200]], axis=1)
    first, second = vad.detect(ArrayAudio(call))
    overlaps = intersection(first.spans, second.spans)
    audio = ArrayAudio((call + leak).astype(np.float32))
    gates = leaked(SignalInspector().inspect(audio), duration_s=audio.duration_s, options=FaultOptions())
    first, second = vad.detect(audio, leaked=gates)
    kept = intersection(first.spans, second.spans)
    assert total_s(overlaps) > 4.0
    assert total_s(difference(overlaps, kept)) < 0.1 * total_s(overlaps)
    assert all(span.duration_s < 0.5 for span in difference(kept, overlaps))


@engine
def test_very_faint_speech_is_found(vad: SileroVad) -> None:
    """Twenty calls: at −65 to −47 dBFS in 16 bits, as much of it as at the level that it was recorded at."""
    enough = 0
    for seed in range(CASES):
        drawn = faint(seed)
        (side,) = vad.detect(ArrayAudio(drawn.samples[drawn.side]))
        (loud,) = vad.detect(ArrayAudio(drawn.samples[drawn.side] * 10 ** ((-20 - drawn.level_db) / 20)))
        assert side.level_dbfs is not None
        (fault, *_) = channel_faults(
            ChannelInspection((ChannelSignal(peak_dbfs=-40.0),)),
            speech_dbfs=(side.level_dbfs,),
            separate=False,
            options=FaultOptions(),
        ) or [None]
        found = total_s(intersection(side.spans, loud.spans)) > 0.95 * total_s(loud.spans)
        enough += fault is not None and found and total_s(difference(side.spans, loud.spans)) < 1.0
    assert enough >= 19


@engine
@pytest.mark.parametrize("rms_db", [-55, -62, -70, -80])
def test_a_faint_line_on_which_nobody_speaks_is_silent(vad: SileroVad, rms_db: float) -> None:
    (activity,) = vad.detect(ArrayAudio(line_noise(20.0) * np.float32(10 ** ((rms_db + 50) / 20))))
    assert activity.spans == ()


@engine
@pytest.mark.parametrize("samples", [1, 100, FRAME, 2000])
def test_a_very_short_recording(vad: SileroVad, samples: int) -> None:
    activities = vad.detect(ArrayAudio(np.zeros((2, samples), np.float32)))
    assert [(a.channel, a.spans) for a in activities] == [(0, ()), (1, ())]


def test_the_run_tells_every_option() -> None:
    run = SileroVad(options=RegionOptions(threshold=0.6)).run
    assert (run.stage, run.engine, run.device) == ("vad", "silero", "cpu")
    assert dict(run.options)["threshold"] == "0.6"
    assert set(dict(run.options)) >= set(RegionOptions.__slots__)
    assert run != SileroVad().run


def test_the_detector_can_be_tried_without_a_recording() -> None:
    SileroVad().rehearse()
