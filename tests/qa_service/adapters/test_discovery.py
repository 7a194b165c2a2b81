"""What a command line means: in order, nothing twice, nothing lost."""

import os
from pathlib import Path

import pytest

from models.audio.raw import raw_input
from qa_service.adapters.discovery import AUDIO_SUFFIXES, RAW_SUFFIXES, discover, raw_format_of
from qa_service.adapters.metadata_fields import parse_raw_format
from tests.recordings import FORMATS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.wav", "a.FLAC", "c/d.Mp3", "c/e.opus", "c/a/f.ogg", "notes.txt", "call_metadata.csv",
                 ".hidden.wav", "c/._d.mp3", ".cache/g.wav", "h.wav.part"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(found: list[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found]


def test_folders_are_walked_in_sorted_order(folder: Path) -> None:
    assert names(discover([folder]), folder) == ["a.FLAC", "b.wav", "c/a/f.ogg", "c/d.Mp3", "c/e.opus"]


def test_input_order_is_kept_and_named_files_are_never_dropped(folder: Path) -> None:
    paths = [folder / name for name in ("missing.wav", "notes.txt", ".hidden.wav", "c", "b.wav")]
    assert names(discover(paths), folder) == [
        "missing.wav", "notes.txt", ".hidden.wav", "c/a/f.ogg", "c/d.Mp3", "c/e.opus", "b.wav",
    ]  # fmt: skip


def test_a_path_named_twice_is_listed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert discover([Path("b.wav"), folder / "b.wav", folder / "c" / ".." / "b.wav"]) == [Path("b.wav")]
    assert len(discover([Path("b.wav"), folder, folder / "c"])) == 5


def test_links(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "c" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "broken.wav").symlink_to(folder / "nowhere.wav")
    (folder / "z.wav").symlink_to(folder / "b.wav")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far.wav").touch()
    (folder / "y").symlink_to(elsewhere, target_is_directory=True)
    found = names(discover([folder, folder / "y"]), folder)
    assert found == [
        "a.FLAC", "b.wav", "broken.wav", "c/a/f.ogg", "c/d.Mp3", "c/e.opus", "y/far.wav", "z.wav",
    ]  # fmt: skip


def test_an_empty_folder_gives_nothing(tmp_path: Path) -> None:
    assert discover([tmp_path]) == []
    assert discover([]) == []


def test_pipes_are_not_recordings(folder: Path) -> None:
    os.mkfifo(folder / "p.wav")
    assert len(discover([folder])) == 5


def test_a_folder_that_cannot_be_listed_is_reported(folder: Path) -> None:
    closed = folder / "c"
    closed.chmod(0)
    try:
        if not os.access(closed, os.R_OK):  # root may list everything
            assert names(discover([folder]), folder) == ["a.FLAC", "b.wav", "c"]
    finally:
        closed.chmod(0o755)


def test_a_path_that_is_too_long_is_reported(folder: Path) -> None:
    """``Path.is_dir`` raises for these, where it answers for every other path that does not exist."""
    name, place = Path(f"{'a' * 300}.wav"), Path("b" * 300) / "c.wav"
    assert discover([name, place, folder / "b.wav"]) == [name, place, folder / "b.wav"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.raw", "s16be/44100"), ("a.PCM", "s16be/44100"), ("a.ul", "mulaw/8000"), ("a.al", "alaw/8000"),
     ("a.SLN16", "s16le/16000"), ("a.g722", "g722/16000"), ("a.wav", None), ("raw", None), ("a.raw.wav", None)],
)  # fmt: skip
def test_a_name_that_says_no_header(name: str, expected: str | None) -> None:
    site = parse_raw_format("s16be/44100")
    assert raw_format_of(Path(name), site) == (parse_raw_format(expected) if expected else None)
    if expected == "s16be/44100":
        assert raw_format_of(Path(name), None) is None


def test_names_of_raw_recordings_are_found_and_can_be_decoded() -> None:
    assert RAW_SUFFIXES.keys() <= AUDIO_SUFFIXES
    assert all(suffix == suffix.lower() for suffix in AUDIO_SUFFIXES)
    for declared in RAW_SUFFIXES.values():
        if declared is not None:
            raw_input(declared)
    assert {known.suffix for known in FORMATS.values()} <= AUDIO_SUFFIXES
