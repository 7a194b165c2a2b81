"""Weights: used only with their published digest, assembled whole or not at all."""

import hashlib
import sys
from pathlib import Path

import pytest

from models import weights
from models.weights import PACKAGED, PackagedModel, WeightFile, default_cache_dir, locate
from qa_service.errors import EngineError

CONTENTS = {"model.bin": b"first half, second half", "tokenizer.json": b"{}"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def a_model(
    *, model_digest: str = sha256(CONTENTS["model.bin"]), package: str = "weights_of_a_test"
) -> PackagedModel:
    return PackagedModel(
        name="tiny",
        part="recognition",
        memory_mib=1,
        source="made for this test",
        licence="MIT",
        remedy="install it",
        files=(
            WeightFile("model.bin", model_digest, ((package, "data/part1"), (package, "data/part2"))),
            WeightFile("tokenizer.json", sha256(b"{}"), ((package, "data/tokenizer.json"),)),
        ),
    )


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that carries the model in two parts; the folder of its data."""
    data = tmp_path / "site" / "weights_of_a_test" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").touch()
    (data / "part1").write_bytes(b"first half, ")
    (data / "part2").write_bytes(b"second half")
    (data / "tokenizer.json").write_bytes(b"{}")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setitem(PACKAGED, "tiny", a_model())
    return data


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "models"


def code_of(name: str, cache: Path) -> str:
    with pytest.raises(EngineError) as caught:
        locate(name, cache_dir=cache)
    return caught.value.code


# --- packaged models --------------------------------------------------------------------------------------


def test_the_parts_are_joined_in_order(package: Path, cache: Path) -> None:
    located = locate("tiny", cache_dir=cache)
    assert {p.name: p.read_bytes() for p in located.path.iterdir()} == {**CONTENTS, "verified": b""}
    assert (located.name, located.revision) == ("tiny", a_model().revision)
    assert list(cache.iterdir()) == [located.path]  # no scratch folder stays
    assert "weights_of_a_test" not in sys.modules  # a package of weights is read, never run


def test_an_assembled_model_needs_its_packages_no_more(package: Path, cache: Path) -> None:
    first = locate("tiny", cache_dir=cache)
    (package / "part1").unlink()
    assert locate("tiny", cache_dir=cache) == first


def test_wrong_bytes_are_refused_and_leave_nothing(package: Path, cache: Path) -> None:
    (package / "part2").write_bytes(b"something else")
    assert code_of("tiny", cache) == "model_corrupt"
    assert list(cache.iterdir()) == []
    (package / "part2").write_bytes(b"second half")
    assert (locate("tiny", cache_dir=cache).path / "model.bin").read_bytes() == CONTENTS["model.bin"]


def test_a_package_without_the_file_is_refused(package: Path, cache: Path) -> None:
    (package / "part2").unlink()
    assert code_of("tiny", cache) == "model_missing"
    assert list(cache.iterdir()) == []


def test_a_missing_package(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGED, "tiny", a_model(package="no_such_weights"))
    with pytest.raises(EngineError, match="no-such-weights is not installed") as caught:
        locate("tiny", cache_dir=cache)
    assert caught.value.code == "model_missing"


def test_what_a_killed_run_left_is_replaced(package: Path, cache: Path) -> None:
    target = cache / f"tiny-{a_model().revision}"
    target.mkdir(parents=True)
    (target / "model.bin").write_bytes(b"half of")
    assert locate("tiny", cache_dir=cache).path == target
    assert (target / "model.bin").read_bytes() == CONTENTS["model.bin"]


def test_two_processes_at_once_end_with_one_model(package: Path, cache: Path) -> None:
    target = cache / f"tiny-{a_model().revision}"
    weights._assemble(a_model(), target)
    weights._assemble(a_model(), target)  # the slower one finds the other's result in its way
    assert list(cache.iterdir()) == [target]
    assert (target / "verified").is_file()


def test_changed_bytes_are_a_changed_revision() -> None:
    assert a_model().revision == a_model().revision
    assert a_model().revision != a_model(model_digest="0" * 64).revision


def test_a_folder_that_happens_to_bear_the_name_is_not_taken(
    package: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    assert locate("tiny", cache_dir=cache).path.parent == cache


# --- folders and wrong names ------------------------------------------------------------------------------


def a_folder(path: Path) -> Path:
    path.mkdir()
    for name, data in CONTENTS.items():
        (path / name).write_bytes(data)
    return path


def test_a_local_folder_is_used_where_it_lies(tmp_path: Path, cache: Path) -> None:
    folder = a_folder(tmp_path / "ours")
    located = locate(str(folder), cache_dir=cache)
    assert (located.name, located.path) == ("ours", folder)
    assert located.revision == sha256(CONTENTS["model.bin"])[:16]
    assert not cache.exists()


def test_the_revision_of_a_folder_follows_its_weights(tmp_path: Path, cache: Path) -> None:
    folder = a_folder(tmp_path / "ours")
    before = locate(str(folder), cache_dir=cache).revision
    (folder / "model.bin").write_bytes(b"fine-tuned")
    assert locate(str(folder), cache_dir=cache).revision != before


@pytest.mark.parametrize("name", list(CONTENTS))
def test_an_incomplete_folder(tmp_path: Path, cache: Path, name: str) -> None:
    folder = a_folder(tmp_path / "ours")
    (folder / name).unlink()
    with pytest.raises(EngineError, match=name) as caught:
        locate(str(folder), cache_dir=cache)
    assert caught.value.code == "model_missing"


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path, cache: Path) -> None:
    for name in ("huge", str(tmp_path / "nowhere")):
        with pytest.raises(EngineError, match="base") as caught:
            locate(name, cache_dir=cache)
        assert caught.value.code == "model_unknown"


def test_the_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert default_cache_dir() == Path("/caches/qa-service/models")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_cache_dir() == Path("/home/somebody/.cache/qa-service/models")


# --- downloads --------------------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hub that has one model; what it was asked for."""
    import faster_whisper.utils

    asked: list[str] = []

    def download_model(name: str, *, output_dir: str) -> str:
        asked.append(name)
        (Path(output_dir) / "model.bin").write_bytes(b"weights")
        if name != "someone/large":
            raise OSError("connection reset")
        (Path(output_dir) / "tokenizer.json").write_text("{}")
        return output_dir

    monkeypatch.setattr(faster_whisper.utils, "download_model", download_model)
    return asked


def test_nothing_is_downloaded_unless_it_is_allowed(hub: list[str], cache: Path) -> None:
    assert code_of("someone/large", cache) == "model_unknown"
    assert hub == []


def test_a_downloaded_model_is_kept_and_found_without_the_hub(hub: list[str], cache: Path) -> None:
    first = locate("someone/large", cache_dir=cache, download=True)
    assert (first.name, first.revision) == ("someone/large", sha256(b"weights")[:16])
    assert locate("someone/large", cache_dir=cache, download=True) == first
    assert locate("someone/large", cache_dir=cache) == first
    assert hub == ["someone/large"]
    assert [path.name for path in (cache / "downloaded").iterdir()] == ["someone--large"]


def test_a_download_that_breaks_off_leaves_nothing(hub: list[str], cache: Path) -> None:
    with pytest.raises(EngineError, match="connection reset") as caught:
        locate("small", cache_dir=cache, download=True)
    assert caught.value.code == "model_download_failed"
    assert list((cache / "downloaded").iterdir()) == []
    assert code_of("small", cache) == "model_unknown"


def test_a_checkpoint_file(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "own.pt").write_bytes(b"weights")
    located = locate(str(tmp_path / "own.pt"), cache_dir=cache)
    assert (located.name, located.revision) == ("own", sha256(b"weights")[:16])
