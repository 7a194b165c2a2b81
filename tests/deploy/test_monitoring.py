"""Dashboard and alerts: every query parses, asks for metrics and labels that exist, and has its page."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry

from qa_service.adapters.gpus import GpuMemory
from qa_service.adapters.metrics import JobMeter, MachineGauges, QueueGauges
from qa_service.domain.batch_runs import BatchKind
from qa_service.observing import STAGES, Ending, JobReport, Lap, QueueDepth, RunsUnderWay
from tests.corpus import ROOT

DEPLOY = ROOT / "deploy"
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))
DASHBOARD = json.loads((DEPLOY / "grafana" / "call-quality.json").read_text(encoding="utf-8"))
SCRAPING = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8"))
MONITORING = (ROOT / "docs" / "operations" / "monitoring.md").read_text(encoding="utf-8")
GRAFANA_S_OWN = {"$__range": "24h", "$__rate_interval": "5m"}


def rules() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in GRAFANA_S_OWN.items():
                query = query.replace(name, value)
            yield panel["title"], query


def selectors(node: Any) -> Iterator[promql_parser.VectorSelector]:
    """Every selector in a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    elif isinstance(node, promql_parser.MatrixSelector):
        yield node.vector_selector
    elif isinstance(node, promql_parser.BinaryExpr):
        yield from selectors(node.lhs)
        yield from selectors(node.rhs)
    elif isinstance(node, promql_parser.Call):
        for argument in node.args:
            yield from selectors(argument)
    elif isinstance(node, promql_parser.AggregateExpr | promql_parser.ParenExpr | promql_parser.UnaryExpr):
        yield from selectors(node.expr)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, set[str]]]:
    """Every sample that is ever served: its labels, and the values that are known beforehand."""
    registry = CollectorRegistry()
    meter = JobMeter(registry)
    for ending in Ending:
        meter.settled(
            JobReport(
                *(1, 1, "d", 1, "t", ending, "some_code", 0.0, 1.0, 1.0),
                laps=tuple(Lap(stage, 0.0, 1.0) for stage in STAGES),
                pack="pack",
                verdict="scored",
                results=(("rule", "met"), ("rule", "not_met"), ("rule", "undetermined")),
            )
        )
    runs = tuple(RunsUnderWay(kind.value, 1, 1.0) for kind in BatchKind)
    registry.register(QueueGauges(lambda: QueueDepth(1, 1, 1, 1, 1, 1, 1.0, runs, 1.0)))
    folder = tmp_path_factory.mktemp("data")
    registry.register(MachineGauges({"data": folder}, gpus=lambda: [GpuMemory("0", 1, 2)]))
    found: dict[str, dict[str, set[str]]] = {}
    for family in registry.collect():
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return found


def test_every_query_asks_for_what_is_served(served: dict[str, dict[str, set[str]]]) -> None:
    jobs = {config["job_name"] for config in SCRAPING["scrape_configs"]}
    asked = set()
    for where, query in queries():
        found = list(selectors(promql_parser.parse(query)))
        assert found or "hour()" in query, where
        for selector in found:
            asked.add(selector.name)
            known = {"job": jobs} if selector.name == "up" else served.get(str(selector.name))
            assert known is not None, f"{where}: nobody serves {selector.name}"
            for matcher in selector.matchers.matchers:
                assert matcher.name in known, f"{where}: {selector.name} has no label {matcher.name}"
                for value in matcher.value.split("|"):
                    assert value in known[matcher.name], f"{where}: {matcher.name} is never {value}"
    assert len(asked) > 15


def test_grouping_is_by_labels_that_exist(served: dict[str, dict[str, set[str]]]) -> None:
    for where, query in queries():
        labels = set(re.findall(r"\w+", ",".join(re.findall(r"by \(([^)]*)\)", query))))
        known = {
            label for selector in selectors(promql_parser.parse(query)) for label in served.get(selector.name, {})
        }
        assert labels <= known | {"instance", "job"}, where


def test_every_metric_is_documented_and_nothing_else(served: dict[str, dict[str, set[str]]]) -> None:
    table = MONITORING.split("## Metrics")[1].split("## Alerts")[0]
    documented = {
        name
        for cell in re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE)
        for name in re.findall(r"`(qa_\w+)`", cell)
    }
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in served}
    assert documented == families


def test_the_labels_of_a_metric_are_documented(served: dict[str, dict[str, set[str]]]) -> None:
    for names, kind in re.findall(r"^\| (`qa_[^|]*) \| ([^|]*) \|", MONITORING, re.MULTILINE):
        for name in re.findall(r"`(qa_\w+)`", names):
            labels = set(served[name] if name in served else served[f"{name}_sum"])
            assert labels == set(re.findall(r"`(\w+)`", kind)), name


def test_every_alert_can_be_acted_on() -> None:
    headings = re.findall(r"^### (.+)$", MONITORING, re.MULTILINE)
    assert headings == [rule["alert"] for rule in rules()]
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"] == f"docs/operations/monitoring.md#{rule['alert'].lower()}"


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) > 8


def test_panels_do_not_overlap_and_say_what_they_show() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert all(panel["description"] and panel["title"] for panel in panels())
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_a_query_for_something_else_would_be_found(served: dict[str, dict[str, set[str]]]) -> None:
    """The parser sees into everything that the queries are made of."""
    query = "topk(3, sum by (rule) (increase(qa_a[1h])) / -qa_b) > on () (absent(qa_c == 1) and hour() < 2)"
    assert [selector.name for selector in selectors(promql_parser.parse(query))] == ["qa_a", "qa_b", "qa_c"]
