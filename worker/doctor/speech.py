"""What hears: weights, the runtimes with their devices, and the decoder."""

import math
import tempfile
import wave
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

from models import catalogue, devices
from models.audio.limits import AudioLimits
from models.devices import Gpu, Runtime
from models.weights import default_cache_dir
from qa_service.adapters.disks import try_writing
from qa_service.domain.timeline import TimeSpan
from qa_service.errors import EngineError
from qa_service.ports import AudioSource
from qa_service.services.diagnosis import Finding, failed, of_error, ok, together, warning
from qa_service.settings import Settings

_ASKING_S = 60.0
_TONE_S, _RATE_HZ = 0.25, 8_000


def models(settings: Settings) -> Finding:
    """Every model in use, read and compared with its digest; none is loaded, and nothing is downloaded or made."""
    cache = settings.model_cache_dir or default_cache_dir()
    without = ("diarization",) if settings.diarization_engine == "none" else ()
    findings = [
        _model(name, sha256, fault, settings)
        for name, sha256, fault in catalogue.verify(
            settings.asr_model, cache_dir=cache, assembling=False, without=without
        )
    ]
    try:
        try_writing(cache)
    except OSError as error:
        # What was assembled before is used all the same.
        findings.append(
            warning(
                f"{cache} cannot be written ({error.strerror or error})",
                "give the service's account the folder, or set QA_MODEL_CACHE_DIR",
            )
        )
    return together(findings)


def _model(name: str, sha256: str, fault: EngineError | None, settings: Settings) -> Finding:
    if fault is None:
        return ok(f"{name} {sha256[:8]}")
    if fault.code == "model_unknown" and settings.model_download:
        return warning(f"{name} is not here", "let a first qa score download it (QA_MODEL_DOWNLOAD allows it)")
    finding = of_error(fault)
    return failed(f"{name}: {finding.measured}", finding.remedy)


def device(settings: Settings) -> Finding:
    """Where recognition and diarization will run, and whether they can."""
    needed = ["onnxruntime", "ctranslate2"]  # with any engine, ctranslate2 tells what ``auto`` means
    if settings.asr_engine == "openai-whisper" or settings.diarization_engine != "none":
        needed.append("torch")
    seen = {told.name: told for told in devices.runtimes(needed, timeout_s=_ASKING_S)}
    return devices_told(settings, seen, devices.gpus())


def devices_told(settings: Settings, seen: Mapping[str, Runtime], gpus: tuple[Gpu, ...]) -> Finding:
    """The finding of what the runtimes and the driver told."""
    broken = [
        failed(f"{runtime.name} {runtime.fault}", _INSTALL[runtime.name])
        for runtime in seen.values()
        if runtime.fault is not None
    ]
    if broken:
        return together(broken)
    auto = "cuda" if seen["ctranslate2"].gpus else "cpu"
    named = [ok(f"{runtime.name} {runtime.version}") for runtime in seen.values()]
    users = [("recognition", "QA_DEVICE", _RECOGNISER[settings.asr_engine], settings.device)]
    if settings.diarization_engine != "none":
        wanted = settings.diarization_device or settings.device
        users.append(("diarization", "QA_DIARIZATION_DEVICE", "torch", wanted))
    findings: list[Finding] = []
    for use, setting, runtime, wanted in users:
        findings.append(
            _placed(use, setting, seen[runtime], auto if wanted == "auto" else wanted, driver_sees=bool(gpus))
        )
    if gpus and auto == "cpu" and "auto" in (settings.device, settings.diarization_device):
        findings.append(
            warning(
                f"the driver has {gpus[0].name}, and ctranslate2 does not see it",
                "see docs/operations/install.md",
            )
        )
    if auto == "cuda" or "cuda" in (settings.device, settings.diarization_device):
        findings.extend(_memory(gpus))
    return together([*findings, *_compute_type(settings, seen), *named])


def _placed(use: str, setting: str, runtime: Runtime, place: str, *, driver_sees: bool) -> Finding:
    if place == "cpu":
        return ok(f"{use} on the CPU")
    if runtime.gpus:
        return ok(f"{use} on the GPU")
    remedy = f"install a CUDA build of {runtime.name}" if driver_sees else "install the GPU's driver"
    return failed(f"{use} is to run on the GPU, and {runtime.name} finds none", f"{remedy}, or set {setting}=cpu")


def _memory(gpus: tuple[Gpu, ...]) -> Iterator[Finding]:
    for gpu in gpus:
        measured = f"{gpu.name}: {gpu.free_mib / 1024:.1f} of {gpu.total_mib / 1024:.1f} GiB free"
        if gpu.free_mib < gpu.total_mib / 2:
            yield warning(
                measured, "see with nvidia-smi what holds it; a worker that is running already may be it"
            )
        else:
            yield ok(measured)


def _compute_type(settings: Settings, seen: Mapping[str, Runtime]) -> Iterator[Finding]:
    """Only what this machine cannot do; asked of the device that ``auto`` would choose."""
    wanted, types = settings.asr_compute_type, seen["ctranslate2"].compute_types
    on_gpu = seen["ctranslate2"].gpus > 0
    if settings.asr_engine != "faster-whisper" or wanted in ("default", "auto", *types):
        return
    if settings.device == "auto" or (settings.device == "cuda") == on_gpu:
        yield failed(
            f"QA_ASR_COMPUTE_TYPE {wanted} is not offered here", f"use default, or one of {', '.join(types)}"
        )


_RECOGNISER = {"faster-whisper": "ctranslate2", "openai-whisper": "torch"}
_INSTALL = {
    "ctranslate2": "install the extra 'speech', on a processor that its wheels support",
    "onnxruntime": "install the extra 'speech', on a processor that its wheels support",
    "torch": "install torch as docs/operations/install.md says, or set QA_DIARIZATION_ENGINE=none",
}


def decoder(settings: Settings) -> Finding:
    """A tone of a quarter of a second, through the process that decodes every recording, within its limits."""
    try:
        from models.audio.decoder import RecordingDecoder
    except ImportError as error:
        return failed(f"{error.name or error} is not installed", "pip install '.[speech]'")
    decoding = RecordingDecoder(
        limits=AudioLimits(
            decode_timeout_s=settings.decode_timeout_s, decode_memory_bytes=settings.decode_memory_bytes
        )
    )
    with tempfile.TemporaryDirectory(prefix="qa-doctor-") as folder:
        path = Path(folder) / "tone.wav"
        _write_tone(path)
        with decoding.decode(AudioSource((path,))) as audio:
            loudest = float(abs(audio.read(0, TimeSpan(0.0, _TONE_S))).max(initial=0.0))
            measured = f"{audio.duration_s:.2f} s of {_TONE_S:.2f} s decoded, peak {loudest:.2f}"
            right = abs(audio.duration_s - _TONE_S) < 0.01 and 0.4 < loudest < 0.6
    if not right:
        return failed(f"a tone comes out wrong: {measured}", "install the versions that the extra 'speech' names")
    return ok(measured)


def _write_tone(path: Path) -> None:
    samples = (math.sin(2 * math.pi * 440 * n / _RATE_HZ) for n in range(round(_TONE_S * _RATE_HZ)))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, _RATE_HZ, 0, "NONE", ""))
        file.writeframes(array("h", (round(0.5 * 32767 * sample) for sample in samples)).tobytes())
