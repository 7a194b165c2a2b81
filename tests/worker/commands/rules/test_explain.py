"""``qa rules explain``: a tree for people, the same as JSON, and what is refused."""

import json

from benchmarks.stored_calls import SyntheticCall
from tests.cli import Here, refused


def test_a_tree_for_people(here: Here, stored: list[SyntheticCall]) -> None:
    result = here("rules", "explain", stored[0].name, "opening")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("opening 开场白: ")
    assert any("require all" in line for line in lines)
    assert any("phrase" in line and "您好" in line for line in lines)  # what was looked for
    assert any("“" in line for line in lines)  # words that were said


def test_the_same_as_json(here: Here, stored: list[SyntheticCall]) -> None:
    result = here("rules", "explain", stored[0].name, "opening", "--format", "json")
    told = json.loads(result.stdout)
    assert told["rule"] == "opening"
    (require,) = (c for c in told["conditions"] if c["part"] == "require")
    assert require["kind"] == "all"
    assert {c["kind"] for c in require["inside"]} == {"phrase", "any"}
    assert told["outcome"] == {True: "met", False: "not_met", None: "undetermined"}[require["value"]]


def test_what_is_refused(here: Here, stored: list[SyntheticCall]) -> None:
    assert "rule_unknown" in refused(here("rules", "explain", stored[0].name, "openning"), 2)
    assert "did you mean 'opening'?" in refused(here("rules", "explain", stored[0].name, "openning"), 2)
    assert "recording_not_found" in refused(here("rules", "explain", "nothing", "opening"), 1)
    assert "not_scored" in refused(here("rules", "explain", stored[-1].name, "opening"), 1)
