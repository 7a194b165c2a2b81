"""What is listed and verified: the bytes that are used, from where they are used."""

import shutil
from pathlib import Path

import pytest

from models import catalogue, weights
from models.catalogue import ALL, entries, verify
from models.weights import SILERO, WHISPER_BASE, assemble, default_cache_dir

engine = pytest.mark.engine


def faults(configured: str, cache: Path) -> dict[str, str]:
    return {name: fault.code for name, _, fault in verify(configured, cache_dir=cache) if fault}


def test_every_model_has_source_licence_digest_and_memory() -> None:
    for entry in entries("base"):
        assert entry.source
        assert entry.licence
        assert len(entry.sha256) == 64
        assert entry.memory_mib
        assert entry.used
    assert {entry.name for entry in entries("base")} == {model.name for model in ALL}


@engine
def test_what_is_installed_is_here_and_right(tmp_path: Path) -> None:
    assert all(entry.present for entry in entries("base"))
    found = list(verify("base", cache_dir=tmp_path))
    assert [(name, fault) for name, _, fault in found] == [(model.name, None) for model in ALL]
    assert [sha256 for _, sha256, _ in found] == [model.files[0].sha256 for model in ALL]


@engine
def test_bytes_that_changed_since_they_were_assembled_are_found(tmp_path: Path) -> None:
    folder = assemble(WHISPER_BASE, cache_dir=tmp_path).path
    with (folder / "model.bin").open("r+b") as weights_file:
        weights_file.seek(1000)
        weights_file.write(b"x")
    assert faults("base", tmp_path) == {"base": "model_corrupt"}
    shutil.rmtree(folder)
    assert faults("base", tmp_path) == {}


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)
    assert not any(entry.present for entry in entries("base"))
    assert set(faults("base", tmp_path).values()) == {"model_missing"}


@engine
def test_a_model_of_the_site(tmp_path: Path) -> None:
    """The packaged recogniser is not in use then, and nobody asks for it."""
    shutil.copytree(assemble(WHISPER_BASE, cache_dir=default_cache_dir()).path, tmp_path / "own")
    own = str(tmp_path / "own")
    listed = {entry.name: entry for entry in entries(own)}
    assert (listed[own].present, listed[own].used) == (True, True)
    assert not listed["base"].used
    found = {name: sha256 for name, sha256, fault in verify(own, cache_dir=tmp_path) if not fault}
    assert found[own] == WHISPER_BASE.files[0].sha256
    assert "base" not in found
    assert faults(str(tmp_path / "nowhere"), tmp_path) == {str(tmp_path / "nowhere"): "model_unknown"}


def test_the_voice_activity_model_is_verified_where_it_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed = tmp_path / "silero.onnx"
    changed.write_bytes(b"not it")
    monkeypatch.setattr(catalogue, "packaged_file", lambda *_: changed)
    assert catalogue.SILERO is SILERO
    assert faults("base", default_cache_dir())[SILERO.name] == "model_corrupt"


@engine
def test_verifying_without_assembling_makes_nothing(tmp_path: Path) -> None:
    found = list(verify("base", cache_dir=tmp_path / "cache", assembling=False, without=("diarization",)))
    assert [(name, fault) for name, _, fault in found] == [("base", None), (SILERO.name, None)]
    assert list(tmp_path.iterdir()) == []


@engine
def test_packages_that_changed_are_found_without_assembling(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed = tmp_path / "part"
    changed.write_bytes(b"not it")
    monkeypatch.setattr(weights, "resource", lambda *_: changed)
    found = verify("base", cache_dir=tmp_path / "cache", assembling=False)
    assert {name: fault.code for name, _, fault in found if fault and name == "base"} == {"base": "model_corrupt"}
