"""The whole service through HTTP alone, with real engines: uploaded, scored, reviewed, disputed, appealed.

Nothing is looked up behind the API: what people cannot see there did not happen.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.brokers import free_port
from tests.cli import QA, environment
from tests.corpus import ROOT

CALL = ROOT / "examples" / "calls" / "zh04.stereo.opus"
TOLD = {"call_id": "C-1", "agent_id": "5107", "team": "商城组", "direction": "inbound", "agent_channel": 0}
PASSWORD = "four words in a row"
PEOPLE: dict[str, dict[str, Any]] = {
    "first": {"roles": ["inspector"]},
    "second": {"roles": ["inspector"]},
    "manager": {"roles": ["manager"]},
    "leader": {"roles": ["leader"], "scope": {"teams": ["商城组"]}},
    "stranger": {"roles": ["leader"], "scope": {"teams": ["银行组"]}},
    "agent": {"roles": ["agent"], "scope": {"agent_id": "5107"}},
    "auditor": {"roles": ["auditor"]},
}


@dataclass(frozen=True)
class Service:
    """Clients of everybody, signed in by their passwords."""

    url: str
    people: dict[str, httpx.Client]

    def __getitem__(self, name: str) -> httpx.Client:
        return self.people[name]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("story") / "data"
    made = subprocess.run(
        [*QA, "user", "add", "admin", "--role", "admin", "--password-stdin"],
        env=environment(data),
        input=f"{PASSWORD}\n",
        text=True,
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    port = free_port()
    log = (data / "serve.log").open("wb")
    command = [*QA, "serve", "--port", str(port), "--concurrency", "1"]
    with log, psutil.Popen(command, env=environment(data), stderr=log) as process, ExitStack() as stack:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process)
            admin = stack.enter_context(closing(_signed_in(url, "admin")))
            for name, account in PEOPLE.items():
                made_user = admin.post("/v1/users", json={"name": name, "password": PASSWORD, **account})
                assert made_user.status_code == 201, made_user.text
            people = {name: stack.enter_context(closing(_signed_in(url, name))) for name in PEOPLE}
            yield Service(url, {"admin": admin, **people})
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(url: str, process: psutil.Popen) -> None:
    for _ in range(600):
        assert process.poll() is None, "qa serve ended"
        try:
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the API does not answer")


def _signed_in(url: str, name: str) -> httpx.Client:
    client = httpx.Client(base_url=url, timeout=60)
    answer = client.post("/v1/session", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return client


def uploaded(service: Service, path: Path) -> int:
    with path.open("rb") as file:
        answer = service["manager"].post(
            "/v1/recordings", files={"file": (path.name, file)}, data={"metadata": json.dumps(TOLD)}
        )
    assert answer.status_code in (201, 202), answer.text
    return int(answer.headers["location"].rsplit("/", 1)[1])


def scored(service: Service, recording_id: int) -> dict[str, Any]:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        call: dict[str, Any] = service["manager"].get(f"/v1/recordings/{recording_id}").json()
        sheet = service["manager"].get(f"/v1/recordings/{recording_id}/sheet")
        if sheet.status_code == 200:
            return call
        time.sleep(1)
    raise AssertionError(service["manager"].get(f"/v1/recordings/{recording_id}/job").text)


def sheet_of(service: Service, recording_id: int, who: str = "manager") -> dict[str, Any]:
    answer = service[who].get(f"/v1/recordings/{recording_id}/sheet")
    assert answer.status_code == 200, answer.text
    sheet: dict[str, Any] = answer.json()
    return sheet


def done(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code < 300, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


ANY = {"If-Match": "*"}


@pytest.mark.engine
@pytest.mark.slow
def test_from_upload_to_the_final_score(service: Service) -> None:
    recording = uploaded(service, CALL)
    scored(service, recording)

    # The call is in the queue, for who may see it; its agent's leader sees it, another team's does not.
    queue = done(service["first"].get("/v1/review-items"))["items"]
    assert [line["item"]["recording_id"] for line in queue] == [recording]
    assert service["leader"].get(f"/v1/recordings/{recording}").status_code == 200
    assert refused(service["stranger"].get(f"/v1/recordings/{recording}")) == (404, "recording_not_found")

    # An inspector takes it, and the other one cannot.
    done(service["first"].post(f"/v1/review-items/{recording}/claim"))
    assert refused(service["second"].post(f"/v1/review-items/{recording}/claim")) == (409, "review_claimed")
    draft = sheet_of(service, recording, "first")
    faults = [f for f in draft["findings"] if f["outcome"] == "not_met"]
    assert faults, "the example call holds faults"
    for finding in draft["findings"]:
        verdict = {"decision": "confirm"} if finding in faults else {"decision": "reject", "reason": "other"}
        headers = {"If-Match": f'"v{finding["version"]}"'}
        done(service["first"].post(f"/v1/findings/{finding['id']}/verdicts", json=verdict, headers=headers))
    done(service["first"].post(f"/v1/review-items/{recording}/finish", json={"note": "完成"}))
    assert done(service["first"].get("/v1/review-items"))["items"] == []
    reviewed = sheet_of(service, recording)

    # The agent sees the own call and objects; the leader advises; not who reviewed it decides.
    disputed = next(f for f in faults if scores(reviewed, f["rule"]))
    path = f"/v1/findings/{disputed['id']}"
    assert sheet_of(service, recording, "agent")["findings"]
    assert refused(service["agent"].post(f"{path}/appeal", json={"reason": "不同意"}, headers=ANY))[0] == 409
    done(service["agent"].post(f"{path}/dispute", json={"reason": "我当时说了"}, headers=ANY))
    early = service["second"].post(f"{path}/decision", json={"uphold": True, "reason": "录音如此"}, headers=ANY)
    assert early.status_code == 409, "the leader is asked first"
    done(service["leader"].post(f"{path}/advice", json={"supports": True, "reason": "听起来有"}, headers=ANY))
    decision = {"uphold": True, "reason": "录音里没有"}
    assert service["first"].post(f"{path}/decision", json=decision, headers=ANY).status_code in (403, 409)
    done(service["second"].post(f"{path}/decision", json=decision, headers=ANY))
    upheld = sheet_of(service, recording)
    assert final_score(upheld) == final_score(reviewed)

    # The one appeal is decided by the manager, for good.
    done(service["agent"].post(f"{path}/appeal", json={"reason": "请再听一次"}, headers=ANY))
    overturned = {"uphold": False, "reason": "确实说了", "code": "misheard"}
    done(service["manager"].post(f"{path}/appeal-decision", json=overturned, headers=ANY))
    assert service["agent"].post(f"{path}/appeal", json={"reason": "再来"}, headers=ANY).status_code == 409

    # The score follows, the machine's stays what it was, and the history tells all of it.
    final = sheet_of(service, recording)
    call = done(service["manager"].get(f"/v1/recordings/{recording}"))
    listed = done(service["agent"].get("/v1/recordings"))["items"]
    assert final_score(final) > final_score(reviewed)
    assert machine_score(final) == machine_score(draft)
    assert [item["final_score"] for item in listed] == [final_score(final)]
    assert final_score(final) == (call.get("call") or call)["final_score"]
    assert [verdict["cause"] for verdict in final["verdicts"] if verdict["finding_id"] == disputed["id"]] == [
        "review",
        "dispute",
        "appeal",
    ]
    events = done(service["auditor"].get("/v1/audit", params={"limit": 200}))["items"]
    assert {"review.claim", "review.finish", "finding.confirm", "session.open", "sheet.read"} <= {
        event["action"] for event in events
    }
    assert {event["name"] for event in events} >= {"first", "second", "manager", "leader", "agent"}


def scores(sheet: dict[str, Any], rule: str) -> bool:
    return any(result["rule"] == rule and result["scored"] for result in sheet["results"])


def final_score(sheet: dict[str, Any]) -> float:
    return float(sheet["final"]["score"])


def machine_score(sheet: dict[str, Any]) -> float:
    return float(sheet["machine"]["score"])
