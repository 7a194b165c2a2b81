"""``qa rules approve``, ``publish``, ``retire`` and ``history``, and what ``qa score`` says of drafts."""

import shutil
from pathlib import Path

import pytest

from qa_service.domain.access import Role, Scope
from qa_service.domain.training import ChangeState
from qa_service.ports.script_changes import ChangedRule, ChangeTerms
from rules.loader import find_pack
from tests.cli import Here, json_lines, refused
from tests.qa_service.reviewing import Site
from tests.worker.containers import FakeContainer


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The shipped pack under a name of its own, with two rules changed."""
    pack = tmp_path / "site"
    shutil.copytree(find_pack("service-zh"), pack)
    for file, old, new in (
        ("pack.yaml", "pack: service-zh", "pack: ours"),
        ("speech-rate.yaml", "above: 400", "above: 200"),
        ("opening.yaml", "severity: ", "unknown: ignore\nseverity: "),
    ):
        text = (pack / file).read_text("utf-8")
        assert old in text
        (pack / file).write_text(text.replace(old, new), "utf-8")
    return pack


def steps(here: Here, pack: Path | str, *options: str) -> list[tuple[str, str, str, str]]:
    found = here("rules", "history", pack, "--format", "json", *options)
    assert (found.returncode, found.stderr) == (0, "")
    return [(line["rule"], line["from"], line["to"], line["by"]) for line in json_lines(found.stdout)]


def test_a_pack_of_a_site_from_draft_to_retired(here: Here, site: Path) -> None:
    approved = here("rules", "approve", site, "--by", "王芳", "--note", "as agreed")
    assert approved.returncode == 0
    assert [line.split()[:2] for line in approved.stdout.splitlines()] == [
        ["approved", "opening"],
        ["approved", "speech-rate"],
    ]
    assert approved.stdout.splitlines()[0].endswith(" by 王芳")
    assert "qa rules publish" in approved.stderr
    published = here("rules", "publish", site, "--by", "Li", "--rule", "opening")
    assert [line.split()[:2] for line in published.stdout.splitlines()] == [["live", "opening"]]
    retired = here("rules", "retire", site, "--by", "Li", "--rule", "opening")
    assert [line.split()[:2] for line in retired.stdout.splitlines()] == [["retired", "opening"]]
    assert steps(here, site) == [
        ("opening", "draft", "approved", "王芳"),
        ("speech-rate", "draft", "approved", "王芳"),
        ("opening", "approved", "live", "Li"),
        ("opening", "live", "retired", "Li"),
    ]
    assert steps(here, site, "--rule", "speech-rate") == [("speech-rate", "draft", "approved", "王芳")]
    table = here("rules", "history", site, "--rule", "opening").stdout
    assert "as agreed" in table
    assert "live → retired" in table
    assert "speech-rate" not in table
    shutil.rmtree(site)
    assert len(steps(here, "ours")) == 4


def test_what_is_left_undone_is_named(here: Here, site: Path) -> None:
    here("rules", "approve", site, "--by", "Li", "--rule", "opening")
    published = here("rules", "publish", site, "--by", "Li")
    assert [line.split()[:2] for line in published.stdout.splitlines()] == [["live", "opening"]]
    assert "not approved, and left as they are: speech-rate" in published.stderr
    again = here("rules", "approve", site, "--by", "Li", "--rule", "opening")
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing to do for opening" in again.stderr
    here("rules", "retire", site, "--by", "Li", "--rule", "opening")
    others = here("rules", "approve", site, "--by", "Li")
    assert "left so unless they are named with --rule: opening" in others.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "named"),  # of the arguments, {} is the site's pack
    [
        (("approve", "{}", "--by", "Li", "--rule", "nonsense"), 2, ("rule_unknown", "nonsense", "opening")),
        (("approve", "{}", "--by", " "), 2, ("approver_invalid",)),
        (("approve", "{}"), 2, ("--by",)),
        (("approve", "service-fr", "--by", "Li"), 2, ("pack_unknown", "service-zh")),
        (
            ("publish", "{}", "--by", "Li", "--rule", "opening"),
            1,
            ("rule_transition_refused", "approved first"),
        ),
        (("retire", "service-zh", "--by", "Li", "--rule", "opening"), 1, ("rule_transition_refused", "extends")),
        (("history", "service-fr"), 2, ("pack_unknown",)),
    ],
)
def test_what_is_refused(
    here: Here, site: Path, arguments: tuple[str, ...], code: int, named: tuple[str, ...]
) -> None:
    said = refused(here("rules", *(one.format(site) for one in arguments)), code)
    assert [name for name in named if name not in said] == []


def test_scoring_warns_of_rules_that_score_nobody(here: Here, site: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()

    def warned() -> str:
        return " ".join(here("score", tmp_path / "empty.wav", "--pack", site).stderr.split())

    first = warned()
    assert "2 of its rules are recorded and not scored: opening (draft), speech-rate (draft)" in first
    assert f"`qa rules approve {site} --by NAME`" in first
    here("rules", "approve", site, "--by", "Li")
    here("rules", "publish", site, "--by", "Li", "--rule", "speech-rate")
    assert "1 of its rules are recorded and not scored: opening (approved)" in warned()
    here("rules", "publish", site, "--by", "Li")
    assert "not scored" not in warned()


def test_a_shipped_pack_needs_no_approval(here: Here, tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    assert "not scored" not in here("score", tmp_path / "empty.wav").stderr
    table = here("rules", "history", "service-zh").stdout
    assert "draft" not in table
    assert "live" in table


def test_a_rule_waits_for_its_change_or_for_a_reason(here: Here, site: Path, fakes: FakeContainer) -> None:
    trainer = Site(fakes.database).person("trainer", Role.TRAINER)
    terms = ChangeTerms("新开头语", "", "ours", (ChangedRule("opening"),), Scope())
    change = fakes.script_changes.draft(trainer, terms).change
    here("rules", "approve", site, "--by", "Li")
    held_up = refused(here("rules", "publish", site, "--by", "Li"), 1)
    assert "script_change_pending" in held_up
    assert "the manager's approval" in held_up
    others = here("rules", "publish", site, "--by", "Li", "--rule", "speech-rate")
    assert [line.split()[:2] for line in others.stdout.splitlines()] == [["live", "speech-rate"]]
    done = here("rules", "publish", site, "--by", "Li", "--despite-change", "监管要求")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["live", "opening"]]
    after = fakes.script_changes.get(change.id)
    assert (after.change.state, after.steps[-1].name, after.steps[-1].note) == (ChangeState.LIVE, "Li", "监管要求")
