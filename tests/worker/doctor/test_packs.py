"""Packs: loaded, or with their faults; rules that are not scored are counted."""

import shutil
from pathlib import Path

import pytest

from qa_service.adapters.clock import SystemClock
from qa_service.db.session import Database
from qa_service.services.approvals import RuleApprovals
from qa_service.services.diagnosis import State
from qa_service.settings import Settings
from rules.loader import find_pack, load_pack
from tests.qa_service.db import builders
from worker.container import as_shipped
from worker.doctor.packs import packs


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The shipped pack under a name of its own, with a rule changed."""
    pack = tmp_path / "ours"
    shutil.copytree(find_pack("service-zh"), pack)
    for name, old, new in (
        ("pack.yaml", "pack: service-zh", "pack: ours"),
        ("speech-rate.yaml", "above: 400", "above: 200"),
    ):
        text = (pack / name).read_text("utf-8")
        assert old in text
        (pack / name).write_text(text.replace(old, new), "utf-8")
    return pack


def database(data: Path) -> Database:
    database = Database(f"sqlite:///{data / 'qa.db'}", clock=SystemClock())
    database.upgrade()
    return database


def test_shipped_packs_need_no_database(tmp_path: Path) -> None:
    found = packs(Settings(data_dir=tmp_path, database_url="postgresql://127.0.0.1:1/qa"))
    assert (found.state, found.measured) == (State.OK, "service-zh: 38 rules; service-en: 38 rules")


def test_rules_that_nobody_published(tmp_path: Path, site: Path) -> None:
    data = tmp_path / "data"
    settings = Settings(data_dir=data, pack_zh=str(site))
    found = packs(settings)
    assert (found.state, "1 of them not live" in found.measured) == (State.WARNING, True)
    assert f"qa rules approve {site}" in found.remedy
    assert not data.exists()

    store = database(data)
    assert packs(settings) == found
    approvals = RuleApprovals(units=store.unit_of_work, as_shipped=as_shipped)
    approvals.approve(load_pack(site), by="Wang")
    approvals.publish(load_pack(site), by="Li")
    store.dispose()
    assert packs(settings).state is State.OK

    builders.downgrade(settings.resolved_database_url, "0001")
    unknown = packs(settings)
    assert (unknown.state, "not known" in unknown.measured) == (State.WARNING, True)


def test_a_database_that_is_down_leaves_a_sites_rules_unknown(tmp_path: Path, site: Path) -> None:
    url = "postgresql://127.0.0.1:1/qa"
    found = packs(Settings(data_dir=tmp_path, database_url=url, pack_zh=str(site)))
    assert (found.state, "not known (database_unavailable)" in found.measured) == (State.WARNING, True)


def test_a_pack_with_faults_hides_not_the_other(tmp_path: Path, site: Path) -> None:
    (site / "opening.yaml").write_text("rule: [", "utf-8")
    (site / "closing.yaml").write_text("rule: closing\nnonsense: 1\n", "utf-8")
    found = packs(Settings(data_dir=tmp_path, pack_zh=str(site)))
    assert found.state is State.FAILED
    assert "faults, first: " in found.measured
    assert "service-en: 38 rules" in found.measured
    assert found.remedy == f"run qa rules lint {site}"


def test_a_pack_that_is_not_there(tmp_path: Path) -> None:
    found = packs(Settings(data_dir=tmp_path, pack_en="service-xx"))
    assert (found.state, "pack_unknown" in found.measured) == (State.FAILED, True)


def test_a_pack_of_another_language(tmp_path: Path) -> None:
    found = packs(Settings(data_dir=tmp_path, pack_en="service-zh"))
    assert (found.state, found.remedy) == (State.WARNING, "set QA_PACK_EN to a pack for en")
