"""A rejected finding becomes a case through the API."""

import yaml

from qa_service.domain.access import Role
from tests.api.conftest import World
from tests.qa_service.reviewing import Site


def rejected(world: World) -> int:
    """A finding of the rule ``opening`` that an inspector rejected."""
    site, inspector = Site(world.site.database), world.clients[Role.INSPECTOR]
    call = site.call("call")
    finding = site.finding(call).id
    assert inspector.post(f"/v1/review-items/{call}/claim").is_success
    said = {"decision": "reject", "reason": "misheard"}
    decided = inspector.post(f"/v1/findings/{finding}/verdicts", json=said, headers={"If-Match": "*"})
    assert decided.is_success, decided.text
    return finding


def test_from_a_rejected_finding_to_the_file(world: World) -> None:
    inspector = world.clients[Role.INSPECTOR]
    finding = rejected(world)
    made = inspector.post(f"/v1/findings/{finding}/draft-case", json={"why": "说了您好，电话13800138000"})
    assert made.status_code == 201, made.text
    draft = made.json()
    assert (draft["rule"], draft["expect"], draft["why"]) == ("opening", "met", "说了您好，电话138****8000")
    again = inspector.post(f"/v1/findings/{finding}/draft-case", json={"why": "x"})
    assert (again.status_code, again.json()["code"]) == (409, "draft_case_exists")
    assert inspector.get("/v1/draft-cases", params={"rule": "opening"}).json()["items"] == [draft]
    exported = inspector.get("/v1/draft-cases/export", params={"pack": "service-zh", "rule": "opening"})
    assert exported.headers["content-type"].startswith("application/yaml")
    assert yaml.safe_load(exported.text) == [draft["document"]]


def test_what_is_no_case(world: World) -> None:
    inspector = world.clients[Role.INSPECTOR]
    unknown = inspector.post("/v1/findings/999/draft-case", json={"why": "x"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "finding_not_found")
    site = Site(world.site.database)
    finding = site.finding(site.call("call")).id
    waiting = inspector.post(f"/v1/findings/{finding}/draft-case", json={"why": "x"})
    assert (waiting.status_code, waiting.json()["code"]) == (409, "finding_not_settled")
    blank = inspector.post(f"/v1/findings/{finding}/draft-case", json={"why": " "})
    assert (blank.status_code, blank.json()["code"]) == (422, "draft_case_unexplained")
