"""Settings: where they come from, in which order, and what is said about a wrong one."""

import os
from datetime import date, time
from pathlib import Path

import pytest

from qa_service.domain.call import Direction, RawFormat
from qa_service.domain.causes import CausePolicy
from qa_service.domain.kpi import Part
from qa_service.domain.vendors import Measure
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


def test_what_is_asked_of_single_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().quality_policy.target_of("interruption") == 0.8
    monkeypatch.setenv("QA_PRECISION_TARGETS", "interruption=0.7, overpromise = 0.9")
    policy = load_settings().quality_policy
    targets = {rule: policy.target_of(rule) for rule in ("interruption", "overpromise", "closing")}
    assert targets == {"interruption": 0.7, "overpromise": 0.9, "closing": 0.8}
    for wrong in ("interruption=70", "interruption", "interruption=0.7,interruption=0.8", "interruption=0"):
        monkeypatch.setenv("QA_PRECISION_TARGETS", wrong)
        with pytest.raises(ConfigurationError, match="QA_PRECISION_TARGETS"):
            load_settings()


def test_what_earns_full_points_of_a_kpi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_KPI_TARGETS", "satisfaction=1, volume=80")
    targets = load_settings().kpi_policy.targets
    assert (targets[Part.SATISFACTION], targets[Part.VOLUME], targets[Part.CONNECT_RATE]) == (1.0, 80.0, 0.9)
    for wrong, remedy in (
        ("satisfaction=95", "write satisfaction=0.95"),
        ("attitude=90", "name only volume, connect_rate, success_rate, satisfaction"),
        ("qa=0.9", "name only volume"),
        ("volume=70,appraisal=80", "name only volume"),
        ("volume=inf", "finite"),
        ("success_rate=0", "greater than 0"),
    ):
        monkeypatch.setenv("QA_KPI_TARGETS", wrong)
        message = fault()
        assert "QA_KPI_TARGETS" in message
        assert remedy in message


def test_whose_complaints_are_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().complaint_policy.owner(1, "A") is None
    monkeypatch.setenv("QA_COMPLAINT_OWNERS", "1=wang, 1/二组 = li.na,3=chen")
    policy = load_settings().complaint_policy
    assert [policy.owner(1, "一组"), policy.owner(1, "二组"), policy.owner(2, "二组")] == ["wang", "li.na", None]
    for wrong in ("4=wang", "wang", "1=", "1=a,1=b", "x/A=wang"):
        monkeypatch.setenv("QA_COMPLAINT_OWNERS", wrong)
        with pytest.raises(ConfigurationError, match="QA_COMPLAINT_OWNERS"):
            load_settings()


def test_which_promises_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (load_settings().promise_policy.replies, load_settings().promise_policy.days) == ({"promise"}, None)
    monkeypatch.setenv("QA_PROMISE_ITEMS", "promise, parcel,")
    monkeypatch.setenv("QA_PROMISE_REPLY_RULES", "call-back,own-reply")
    monkeypatch.setenv("QA_PROMISE_DAYS", "2")
    policy = load_settings().promise_policy
    assert (policy.replies, policy.reply_rules, policy.days) == (
        *({"promise", "parcel"}, {"call-back", "own-reply"}),
        2,
    )


def test_what_was_agreed_with_vendors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "QA_VENDOR_TARGETS", "abandonment=0.05, 外包/一/abandonment = 0.1,qa_score=85,response_s=20"
    )
    policy = load_settings().vendor_policy
    assert [policy.target(name, Measure.ABANDONMENT) for name in ("V", "外包/一")] == [0.05, 0.1]
    assert (policy.target("V", Measure.QA_SCORE), policy.target("V", Measure.PEAK)) == (85.0, None)
    for wrong in ("abandonment=5", "speed=1", "abandonment", "V/peak_availability=0.9,V/peak_availability=0.8"):
        monkeypatch.setenv("QA_VENDOR_TARGETS", wrong)
        with pytest.raises(ConfigurationError, match="QA_VENDOR_TARGETS"):
            load_settings()


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


def test_a_list_of_hot_words_may_be_longer_than_a_file_name(monkeypatch: pytest.MonkeyPatch) -> None:
    words = tuple(f"优购商城{'一二三四五六七八九十'[n % 10]}{'甲乙丙丁戊己庚辛'[n // 10]}" for n in range(80))
    for listed in (words, words * 10):  # longer than a name, and than a path
        monkeypatch.setenv("QA_HOT_WORDS", ",".join(listed))
        assert load_settings().hot_words == listed


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


def test_days_that_are_no_working_days_and_weekends_that_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("QA_HOLIDAYS", "2026-10-01..2026-10-03, 2027-01-01")
    (tmp_path / "worked.txt").write_text("2026-09-27  # 调休\n\n2026-10-10\n", encoding="utf-8")
    monkeypatch.setenv("QA_WORKING_WEEKENDS", str(tmp_path / "worked.txt"))
    calendar = load_settings().calendar
    assert calendar.holidays == {date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3), date(2027, 1, 1)}
    assert [calendar.works(date(2026, 10, day)) for day in (1, 4, 5, 10)] == [False, False, True, True]


def test_days_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "qa.toml").write_text('holidays = [2026-10-01]\nsampling_at = "06:30"\n')
    settings = load_settings()
    assert (settings.holidays, settings.sampling_at) == ({date(2026, 10, 1)}, time(6, 30))


@pytest.mark.parametrize(
    "given", ["2026-13-01", "May Day", "2026-10-08..2026-10-01", "2026-01-01..2028-01-01", "1..2"]
)
def test_what_is_no_day(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("QA_HOLIDAYS", given)
    with pytest.raises(ConfigurationError, match=r"settings_invalid: QA_HOLIDAYS: .*(is no day|ends before)"):
        load_settings()


def test_policies_follow_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "QA_REVIEW_RANDOM_SHARE": "0.1",
        "QA_REVIEW_SEED": "s",
        "QA_REVIEW_DUE_DAYS": "7",
        "QA_COMPLAINT_DUE_DAYS": "1",
        "QA_APPEAL_DAYS": "9",
        "QA_TIME_ZONE": "Europe/Berlin",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    policy, terms = settings.review_policy, settings.dispute_terms
    assert (policy.random_share, policy.seed, policy.due_days, policy.complaint_due_days) == (0.1, "s", 7, 1)
    assert (terms.appeal_days, terms.dispute_days) == (9, 5)
    assert str(policy.calendar.zone) == str(terms.calendar.zone) == "Europe/Berlin"


def test_what_it_takes_to_name_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().cause_policy == CausePolicy()
    monkeypatch.setenv("QA_CAUSES_ALARM", "0.01")
    monkeypatch.setenv("QA_CAUSES_MIN_CALLS", "50")
    monkeypatch.setenv("QA_CAUSES_HIGH_RATE", "0.4")
    monkeypatch.setenv("QA_WORTHWHILE_CHANGE", "0.1")
    settings = load_settings()
    assert settings.cause_policy == CausePolicy(alarm=0.01, min_calls=50, high_rate=0.4, worthwhile=0.1)
    assert settings.report_policy.causes == settings.cause_policy
    assert settings.effect_policy.worthwhile == 0.1
