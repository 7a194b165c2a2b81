"""The whole way, with the real models: example calls in, scored calls with evidence out."""

import shutil
import time
from pathlib import Path

import pytest

from rules.loader import find_pack
from tests.cli import json_lines, qa
from tests.corpus import example_call
from tests.e2e.runs import EXAMPLES, Run, Store, by_call, outcomes, result, starts

pytestmark = pytest.mark.engine

NEAR_S = 0.5


def test_every_example_is_scored_in_order(run: Run) -> None:
    lines = json_lines(run.output)
    assert [Path(line["recording"]["path"]) for line in lines] == sorted(EXAMPLES.glob("*.opus"))
    assert {(line["status"], line["error"]) for line in lines} == {("scored", None)}
    assert f"[{len(lines)}/{len(lines)}]" in run.progress
    assert "warning" not in run.progress


def test_the_lines_have_the_contracts_keys(run: Run) -> None:
    for line in json_lines(run.output):
        recording, provenance = line["recording"], line["provenance"]
        mono = ".mono." in recording["path"]
        assert (len(recording["sha256"]), recording["channels"]) == (64, 1 if mono else 2)
        assert recording["duration_s"] > 40
        assert line["conversation"]["language"] == Path(recording["path"]).name[:2]
        assert line["conversation"]["role_source"] == ("script cues" if mono else "metadata")
        for utterance in line["conversation"]["utterances"]:
            assert {"role", "start", "end", "text", "confidence"} <= utterance.keys()
            assert utterance["role"] in ("agent", "customer")
            assert 0 <= utterance["start"] < utterance["end"] <= recording["duration_s"]
        metrics = line["metrics"]
        assert {"talk_s", "overlap_s", "dead_air_s", "speech_rate_per_min"} <= metrics.keys()
        assert set(metrics["talk_s"]) == set(metrics["speech_rate_per_min"]) == {"agent", "customer"}
        for one in line["results"]:
            assert {"rule", "outcome", "severity", "evidence"} <= one.keys()
            assert one["outcome"] in ("met", "not_met", "not_applicable", "undetermined")
            assert all({"start", "end", "role", "quote"} <= evidence.keys() for evidence in one["evidence"])
        assert {"scorecard", "score", "coverage", "fatal"} <= line["evaluation"].keys()
        assert provenance["ruleset"].startswith("sha256:")
        stages = ["channels", "vad", *(["diarization"] if mono else []), "roles", "asr"]
        assert [engine["stage"] for engine in provenance["engines"]] == stages


def test_evidence_quotes_what_was_said(run: Run) -> None:
    """Each quote stands in the utterances that its evidence names."""
    for line in json_lines(run.output):
        utterances = line["conversation"]["utterances"]
        for one in line["results"]:
            for evidence in one["evidence"]:
                if evidence["quote"] and evidence["utterances"]:
                    said = "".join(utterances[index]["text"] for index in evidence["utterances"])
                    assert _letters(evidence["quote"]) in _letters(said)


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def test_a_clean_call(run: Run) -> None:
    line = run.calls["zh01"]
    assert "not_met" not in outcomes(line).values()
    assert outcomes(line)["opening"] == outcomes(line)["closing"] == "met"
    assert (line["evaluation"]["score"], line["evaluation"]["fatal"]) == (100.0, False)


def test_calls_on_one_channel(run: Run) -> None:
    """The roles come from what is said; who interrupted whom stays open."""
    sales, service = run.calls["zh09"], run.calls["en04"]
    faults = {rule for rule, outcome in outcomes(sales).items() if outcome == "not_met"}
    # The agent asks for no need, and sells on after a refusal, which would have excused that.
    assert faults == {"closing", "overpromise", "pressure", "sales-flow"}
    # The agent does everything but invite the customer to rate the call.
    assert {rule for rule, outcome in outcomes(service).items() if outcome == "not_met"} == {"satisfaction-invite"}
    assert 95.0 < service["evaluation"]["score"] < 100.0
    for line in (sales, service):
        assert line["conversation"]["role_probability"] > 0.9
        assert result(line, "interruption")["outcome"] == "undetermined"
        assert result(line, "interruption")["reason"] == "overlap_not_measurable"
        assert {u["speaker"] for u in line["conversation"]["utterances"]} == {0, 1}


def test_interruptions(run: Run) -> None:
    line = run.calls["zh04"]
    assert starts(line, "interruption") == pytest.approx([14.0, 27.1], abs=NEAR_S)
    assert starts(line, "customer-interruption") == pytest.approx([52.5], abs=NEAR_S)
    assert result(line, "customer-interruption")["scored"] is False
    assert [i["role"] for i in line["metrics"]["interruptions"] if i["violation"]] == [
        "agent",
        "agent",
        "customer",
    ]
    others = [name for name, call in run.calls.items() if outcomes(call)["interruption"] == "not_met"]
    assert "zh01" not in others


def test_silence_without_notice_counts_once(run: Run) -> None:
    line = run.calls["zh07"]
    assert starts(line, "hold-notice") == pytest.approx([19.9, 42.4], abs=NEAR_S)
    assert starts(line, "dead-air") == starts(line, "hold-notice")
    assert outcomes(line)["hold-notice"] == outcomes(line)["dead-air"] == "not_met"
    assert result(line, "dead-air")["same_event_as"] == "hold-notice"
    assert result(line, "hold-notice")["same_event_as"] is None


def test_a_call_that_ends_in_threats(run: Run) -> None:
    line = run.calls["zh08"]
    assert outcomes(line)["vulgar"] == outcomes(line)["threat"] == "not_met"
    assert (line["evaluation"]["score"], line["evaluation"]["fatal"]) == (0.0, True)
    assert result(line, "threat")["severity"] == "critical"


def test_an_english_call(run: Run) -> None:
    line = run.calls["en02"]
    broken = {rule for rule, outcome in outcomes(line).items() if outcome == "not_met"}
    assert broken >= {"opening", "closing", "refusal", "vulgar", "interruption"}
    assert line["evaluation"]["fatal"] is True
    assert line["evaluation"]["scorecard"] == line["provenance"]["pack"] == "service-en"


def test_a_second_run_hears_nothing_and_says_the_same(run: Run) -> None:
    before = run.store.counts()
    started = time.monotonic()
    again = qa("score", EXAMPLES, "--format", "json", data=run.store.data)
    assert again.stdout == run.output
    assert run.store.counts() == before
    assert time.monotonic() - started < run.elapsed_s / 3
    assert before["recordings"] == before["conversations"] == before["evaluations"] == before["jobs"] == 13
    assert before["jobs not done"] == 0


def test_changed_rules_are_applied_without_the_audio(run: Run, tmp_path: Path) -> None:
    pack = tmp_path / "site"
    shutil.copytree(find_pack("service-zh"), pack)
    rule = pack / "speech-rate.yaml"
    rule.write_text(rule.read_text("utf-8").replace("above: 400", "above: 200"), "utf-8")
    data = tmp_path / "data"
    shutil.copytree(run.store.data, data)
    store = Store(data)
    before = store.counts()
    for blob in store.blobs():
        blob.unlink()
    # The given file is stored again, but one that is read now would be too long.
    done = qa("score", example_call("zh01"), "--pack", pack, "--format", "json", data=data, QA_MAX_DURATION_S="1")
    (line,) = json_lines(done.stdout)
    assert outcomes(line)["speech-rate"] == "not_met"
    assert line["provenance"]["ruleset"] != run.calls["zh01"]["provenance"]["ruleset"]
    assert line["conversation"] == run.calls["zh01"]["conversation"]
    after = store.counts()
    assert after["evaluations"] == before["evaluations"] + 1
    assert (after["conversations"], after["engine_runs"]) == (before["conversations"], before["engine_runs"])


def test_bad_files_among_good_ones(run: Run, tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "calls"
    shutil.copytree(run.store.data, data)
    folder.mkdir()
    shutil.copy(EXAMPLES / "call_metadata.csv", folder)
    for name in ("en02", "zh08"):
        shutil.copy(example_call(name), folder)
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("words")
    done = qa("score", folder, folder / "missing.wav", "--format", "json", data=data)
    assert done.returncode == 1
    lines = by_call(json_lines(done.stdout))
    assert {name: line["error"]["code"] for name, line in lines.items() if line["error"]} == {
        "empty": "file_empty",
        "text": "not_audio",
        "missing": "file_missing",
    }
    for name in ("en02", "zh08"):
        assert lines[name]["results"] == run.calls[name]["results"]


def test_show_prints_the_dialogue(run: Run) -> None:
    done = qa("show", "zh04.stereo.opus", data=run.store.data)
    assert (done.returncode, done.stderr) == (0, "")
    assert "00:00 agent" in done.stdout or "00:01 agent" in done.stdout
    assert "云飞" in done.stdout
    for utterance in run.calls["zh04"]["conversation"]["utterances"]:
        assert utterance["text"][:20] in done.stdout
    lines = done.stdout.splitlines()
    interruption = next(n for n, line in enumerate(lines) if "✗" in line and "00:14" in line)
    assert 0 < interruption < len(lines) - 1
