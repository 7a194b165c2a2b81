"""What models there are, where they come from, and whether their bytes are the published ones.

Guarantee: listing reads no weights; verifying reads all of them and changes none.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from models.weights import (
    CAMPPLUS,
    PACKAGED,
    SEGMENTATION,
    SILERO,
    PackagedModel,
    assemble,
    file_digest,
    is_assembled,
    locate,
    packaged_digest,
)
from models.weights import resource as packaged_file
from qa_service.errors import EngineError

ALL: tuple[PackagedModel, ...] = (*PACKAGED.values(), SILERO, SEGMENTATION, CAMPPLUS)


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One model. ``sha256``: of its weights, empty where only verifying tells; ``memory_mib``: what a process
    grows by, None for a site's own model; ``used``: the configuration names it, or it is always used."""

    name: str
    part: str
    source: str
    licence: str
    sha256: str
    present: bool
    memory_mib: int | None
    used: bool


def entries(configured: str) -> tuple[CatalogueEntry, ...]:
    """All packaged models, and the site's own when the recogniser ``configured`` is none of them."""
    found = [_entry(model, used=model.name not in PACKAGED or model.name == configured) for model in ALL]
    if configured not in PACKAGED:
        present = Path(configured).expanduser().exists()
        own = CatalogueEntry(configured, "recognition", "local", "", "", present, None, True)
        found.insert(0, own)
    return tuple(found)


def _entry(model: PackagedModel, *, used: bool) -> CatalogueEntry:
    try:
        for file in model.files:
            for module, name in file.parts:
                packaged_file(module, name, model)
        present = True
    except EngineError:
        present = False
    return CatalogueEntry(
        model.name,
        model.part,
        model.source,
        model.licence,
        model.files[0].sha256,
        present,
        model.memory_mib,
        used,
    )


def verify(
    configured: str, *, cache_dir: Path, assembling: bool = True, without: Collection[str] = ()
) -> Iterator[tuple[str, str, EngineError | None]]:
    """``(name, sha256, fault)`` of every model in use, as each is read: its bytes where they are used from.

    Args:
        configured: the recogniser.
        cache_dir: where packaged models are assembled.
        assembling: whether one that was never used is assembled first; otherwise its packages are read instead.
        without: parts that are not in use.
    """
    for entry in entries(configured):
        if not entry.used or entry.part in without:
            continue
        try:
            yield entry.name, _verified(entry.name, cache_dir, assembling=assembling), None
        except EngineError as fault:
            yield entry.name, entry.sha256, fault


def _verified(name: str, cache_dir: Path, *, assembling: bool) -> str:
    packaged = {model.name: model for model in ALL}
    if name not in packaged:
        path = locate(name, cache_dir=cache_dir).path
        return file_digest(path / "model.bin" if path.is_dir() else path)
    model = packaged[name]
    if model is SILERO:  # used where its package has put it
        ((module, resource),) = model.files[0].parts
        paths = [packaged_file(module, resource, model)]
    elif not assembling and not is_assembled(model, cache_dir=cache_dir):
        for file in model.files:
            if packaged_digest(model, file) != file.sha256:
                raise EngineError(
                    "model_corrupt",
                    f"{model.name}/{file.name} does not have its published digest: reinstall the weight packages",
                )
        return model.files[0].sha256
    else:
        folder = assemble(model, cache_dir=cache_dir).path
        paths = [folder / file.name for file in model.files]
    for file, path in zip(model.files, paths, strict=True):
        if not path.is_file() or file_digest(path) != file.sha256:
            raise EngineError(
                "model_corrupt",
                f"{path} does not have its published digest: delete {path.parent}, and reinstall the weight "
                "packages if that does not help",
            )
    return model.files[0].sha256
