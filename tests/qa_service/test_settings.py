"""Settings: where they come from, in which order, and what is said about a wrong one."""

import os
from datetime import time
from pathlib import Path

import pytest

from qa_service.domain.call import Direction, RawFormat
from qa_service.errors import ConfigurationError
from qa_service.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("QA_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def fault() -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert caught.value.code == "settings_invalid"
    return caught.value.message


def test_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    settings = load_settings()
    assert settings.data_dir == tmp_path / "share" / "qa-service"
    assert settings.resolved_database_url == f"sqlite:///{tmp_path / 'share' / 'qa-service' / 'qa.db'}"
    assert (settings.agent_channel, settings.language, settings.asr_model) == (0, None, "base")
    assert str(settings.zone) == "Asia/Shanghai"


def test_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("QA_DATABASE_URL", "postgresql://host/qa")
    monkeypatch.setenv("QA_LANGUAGE", "en")
    monkeypatch.setenv("QA_LEASE_S", "2.5")
    settings = load_settings()
    assert settings.data_dir == tmp_path / "data"
    assert settings.resolved_database_url == "postgresql://host/qa"
    assert (settings.language, settings.lease_s) == ("en", 2.5)
    monkeypatch.setenv("QA_LANGUAGE", "mixed")
    assert load_settings().language == "mixed"


def test_the_file_in_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "qa.toml").write_text('asr_model = "/models/large"\nagent_channel = 1\n')
    settings = load_settings()
    assert (settings.asr_model, settings.agent_channel) == ("/models/large", 1)


def test_a_named_file_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "qa.toml").write_text('language = "en"\n')
    (tmp_path / "site.toml").write_text("lease_s = 5\n")
    monkeypatch.setenv("QA_CONFIG", str(tmp_path / "site.toml"))
    settings = load_settings()
    assert (settings.language, settings.lease_s) == (None, 5.0)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "qa.toml").write_text('language = "en"\nlease_s = 5\n')
    monkeypatch.setenv("QA_LANGUAGE", "zh")
    settings = load_settings()
    assert (settings.language, settings.lease_s) == ("zh", 5.0)


@pytest.mark.parametrize("value", ["", "unknown"])
def test_the_agents_channel_may_be_unknown(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("QA_AGENT_CHANNEL", value)
    assert load_settings().agent_channel is None


def test_the_endings_of_a_calls_two_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load_settings().leg_suffixes is None
    (tmp_path / "qa.toml").write_text('leg_suffixes = ["_a", "_b"]\n')
    assert load_settings().leg_suffixes == ("_a", "_b")
    monkeypatch.setenv("QA_LEG_SUFFIXES", " -out, -in")
    assert load_settings().leg_suffixes == ("-out", "-in")
    monkeypatch.setenv("QA_LEG_SUFFIXES", "")
    assert load_settings().leg_suffixes is None


def test_what_the_contexts_of_call_records_mean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load_settings().cdr_contexts == {}
    (tmp_path / "qa.toml").write_text('[cdr_contexts]\nfrom-internal = "outbound"\n')
    assert load_settings().cdr_contexts == {"from-internal": Direction.OUTBOUND}
    monkeypatch.setenv("QA_CDR_CONTEXTS", "default=outbound, ext = Inbound,")
    assert load_settings().cdr_contexts == {"default": Direction.OUTBOUND, "ext": Direction.INBOUND}


@pytest.mark.parametrize("value", ["default", "default=", "default=both", "a=inbound,a=outbound", "a=b=inbound"])
def test_contexts_that_mean_nothing(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("QA_CDR_CONTEXTS", value)
    assert "QA_CDR_CONTEXTS" in fault()


@pytest.mark.parametrize("value", ["-out", "-out,", ",", "a,b,c", "-in,-in", "n,-in", "out/,in/"])
def test_endings_that_tell_no_two_files_apart(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("QA_LEG_SUFFIXES", value)
    assert "QA_LEG_SUFFIXES" in fault()


def test_every_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "QA_AGENT_CHANNEL": "2",
        "QA_LANGUAGE": "fr",
        "QA_LEASE_S": "0",
        "QA_TRANSIENT_RETRIES": "some",
        "QA_TIME_ZONE": "Mars/Olympus",
        "QA_DEVICE": "tpu",
        "QA_ASR_ENGINE": "kaldi",
        "QA_MAX_DURATION_S": "-1",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    message = fault()
    assert [name for name in wrong if name not in message] == []
    assert "Asia/Shanghai" in message


def test_an_unknown_key_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "qa.toml").write_text('languages = "en"\n')
    message = fault()
    assert "languages" in message.lower()
    assert "qa.toml" in message


def test_a_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QA_CONFIG", "site.toml")
    assert "site.toml" in fault()
    (tmp_path / "site.toml").mkdir()
    assert "site.toml" in fault()


@pytest.mark.parametrize("content", [b"language = \n", b"\xff\xfe", b"lease_s = 5\nlease_s = 6\n"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "qa.toml").write_bytes(content)
    assert "qa.toml is not valid TOML" in fault()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().language = "en"  # type: ignore[misc]


def test_tracks_and_raw_format_are_written_as_in_metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert (load_settings().channel_map, load_settings().raw_format) == (None, None)
    (tmp_path / "qa.toml").write_text('channel_map = [3, 1]\nraw_format = "alaw/8000"\n')
    assert load_settings().channel_map == (3, 1)
    assert load_settings().raw_format == RawFormat("alaw", 8000)
    monkeypatch.setenv("QA_CHANNEL_MAP", "2, 0")
    monkeypatch.setenv("QA_RAW_FORMAT", "S16LE/16000/2")
    assert load_settings().channel_map == (2, 0)
    assert load_settings().raw_format == RawFormat("s16le", 16_000, 2)
    monkeypatch.setenv("QA_CHANNEL_MAP", "1,1")
    monkeypatch.setenv("QA_RAW_FORMAT", "mulaw")
    message = fault()
    assert "QA_CHANNEL_MAP: " in message
    assert "QA_RAW_FORMAT: " in message
    assert "mulaw/8000" in message  # an example of what is allowed


def test_decoding_needs_some_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_DECODE_MEMORY_BYTES", "1000000")
    assert "QA_DECODE_MEMORY_BYTES" in fault()


@pytest.mark.parametrize("given", ["优购商城, 汇金财富", "优购商城，汇金财富、", "words.txt"])
def test_hot_words_as_a_list_or_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str) -> None:
    (tmp_path / "words.txt").write_text("# companies\n优购商城  # ours\n\n汇金财富\n", encoding="utf-8")
    monkeypatch.setenv("QA_HOT_WORDS", given)
    assert load_settings().hot_words == ("优购商城", "汇金财富")


@pytest.mark.parametrize(
    ("given", "said"),
    [("优购商城,世纪", "'世纪'"), ("Northwind Bank", "'Northwind Bank'"), ("missing.txt", "'missing.txt'")],
)
def test_hot_words_that_cannot_be_told_apart_are_refused(
    monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    monkeypatch.setenv("QA_HOT_WORDS", given)
    assert "QA_HOT_WORDS" in (message := fault())
    assert said in message


def test_a_file_of_hot_words_that_is_no_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes(b"\xff\xfe\xff")
    monkeypatch.setenv("QA_HOT_WORDS", "words.txt")
    assert "words.txt cannot be read" in fault()


def test_sources_have_one_spelling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert load_settings().sources == ()
    monkeypatch.setenv("QA_SOURCES", "/srv/calls/, /srv/calls ,s3://exports/2026/,s3://exports")
    assert load_settings().sources == ("/srv/calls", "s3://exports/2026", "s3://exports")
    monkeypatch.delenv("QA_SOURCES")
    (tmp_path / "qa.toml").write_text('sources = ["/srv/a,b"]\nblob_url = "s3://recordings/qa"\n')
    assert load_settings().sources == ("/srv/a,b",)
    assert load_settings().blob_url == "s3://recordings/qa"


@pytest.mark.parametrize(
    "place",
    ["calls", "./calls", "~/calls", "gs://bucket", "s3://", "s3://key:secret@bucket", "s3:/key:secret@bucket"],
)
def test_what_is_no_source_is_named_without_its_secrets(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setenv("QA_SOURCES", place)
    assert "QA_SOURCES" in fault()
    assert "secret@" not in fault()
    monkeypatch.delenv("QA_SOURCES")
    if "//" in place:
        monkeypatch.setenv("QA_BLOB_URL", place)
        assert "QA_BLOB_URL" in fault()
        assert "secret@" not in fault()


@pytest.mark.parametrize(
    ("given", "meant"), [("22:00", time(22)), ("02:30", time(2, 30)), ("00:00", time()), ("", None)]
)
def test_when_nights_begin(monkeypatch: pytest.MonkeyPatch, given: str, meant: time | None) -> None:
    monkeypatch.setenv("QA_NIGHTLY_AT", given)
    assert load_settings().nightly_at == meant


def test_when_nights_begin_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "qa.toml").write_text("nightly_at = 22:30:00\n")
    assert load_settings().nightly_at == time(22, 30)


@pytest.mark.parametrize("given", ["25:00", "29:00", "22", "10 pm", "22:00Z", "22:00:30", "22:60", "never"])
def test_what_is_no_time_of_day(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("QA_NIGHTLY_AT", given)
    assert "QA_NIGHTLY_AT" in fault()
