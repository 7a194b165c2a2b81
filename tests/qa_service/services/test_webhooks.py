"""What happens is told other systems: with what it is about or not at all, at least once, to nobody for ever."""

import ipaddress
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from qa_service.adapters.webhook_client import AllowedAddresses, PinnedClient
from qa_service.db.rows import FindingRow, WebhookDeliveryRow
from qa_service.db.session import Database
from qa_service.domain.access import EVERYTHING, Role
from qa_service.domain.results import Outcome, Severity
from qa_service.domain.webhooks import MOST_ATTEMPTS, WebhookEvent, finished, secret_of, signature
from qa_service.ports.people import Origin
from qa_service.ports.webhooks import DeliveryState, SentTo, Webhook
from qa_service.services.sign_in import principal_of
from qa_service.services.webhooks import Deliveries, Webhooks
from tests.clocks import ManualClock
from tests.fakes import Workplace
from tests.qa_service.services.batch_runs import receive
from tests.webhooks import Receiver, receiver

KEY = b"k" * 32
HERE = AllowedAddresses((ipaddress.ip_network("127.0.0.0/8"),))
Make = Callable[..., tuple[str, Webhook]]


@pytest.fixture
def system() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def webhooks(database: Database, clock: ManualClock) -> Webhooks:
    return Webhooks(units=database.unit_of_work, site_key=lambda: KEY, check=PinnedClient(HERE).check, clock=clock)


@pytest.fixture
def make(database: Database, webhooks: Webhooks, system: Receiver) -> Make:
    with database.unit_of_work() as unit:
        who = principal_of(unit.users.add("admin", "admin", [Role.ADMIN], EVERYTHING), via="command")
        unit.commit()

    def one(*events: WebhookEvent, url: str | None = None) -> tuple[str, Webhook]:
        return webhooks.create(who, "tickets", url or system.url, events, origin=Origin())

    one.who = who  # type: ignore[attr-defined]
    return one


def deliveries(database: Database, clock: ManualClock, *, key: bytes | None = KEY) -> Deliveries:
    return Deliveries(
        units=database.unit_of_work,
        units_to_read=partial(database.unit_of_work, read_only=True),
        client=PinnedClient(HERE, limit_s=2),
        site_key=lambda: key,
        clock=clock,
        sender="qa-service/test",
    )


def send(database: Database, clock: ManualClock) -> int:
    return deliveries(database, clock).send_due(until=time.monotonic() + 20)


def score(workplace: Workplace, name: bytes = b"call") -> int:
    (recording_id,) = receive(workplace, name)
    with workplace.database.unit_of_work() as unit:
        recording, metadata = unit.recordings.get(recording_id), unit.metadata.get(recording_id)
    job = workplace.jobs().enqueue(recording, metadata, pack=None)
    workplace.jobs().run(job.id)
    return recording_id


def states(database: Database) -> list[tuple[str, str, int]]:
    with database.unit_of_work(read_only=True) as unit:
        rows = unit.session.scalars(select(WebhookDeliveryRow).order_by(WebhookDeliveryRow.id))
        return [(row.event, row.state, row.attempts) for row in rows]


def test_a_scored_call_is_told_once_signed_and_without_words(
    database: Database, workplace: Workplace, clock: ManualClock, system: Receiver, make: Make
) -> None:
    workplace.packs["rules-zh"].outcome = Outcome.NOT_MET
    workplace.packs["rules-zh"].severity = Severity.CRITICAL
    secret, _ = make(WebhookEvent.EVALUATION_FINISHED, WebhookEvent.FINDING_CRITICAL)
    recording_id = score(workplace)
    assert send(database, clock) == 2
    assert send(database, clock) == 0
    told = [json.loads(body) for _, body in system.got]
    assert [one["type"] for one in told] == ["evaluation.finished", "finding.critical"]
    assert told[0]["data"] == {"recording_id": recording_id, "evaluation_id": 1, "pack": "rules-zh"}
    assert told[1]["data"].keys() == {"recording_id", "evaluation_id", "finding_id", "rule"}
    for headers, body in system.got:
        expected = signature([secret], headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == expected
        assert int(headers["webhook-timestamp"]) == int(clock.now().timestamp())
    assert {state for _, state, _ in states(database)} == {"delivered"}


def test_who_did_not_ask_is_not_told(
    database: Database, workplace: Workplace, clock: ManualClock, webhooks: Webhooks, make: Make
) -> None:
    make(WebhookEvent.APPEAL_DUE)
    _, off = make(WebhookEvent.EVALUATION_FINISHED)
    webhooks.change(make.who, off.id, version=1, active=False, origin=Origin())  # type: ignore[attr-defined]
    score(workplace)
    assert states(database) == []


def test_what_is_only_undetermined_accuses_nobody(database: Database, workplace: Workplace, make: Make) -> None:
    workplace.packs["rules-zh"].outcome = Outcome.UNDETERMINED
    workplace.packs["rules-zh"].severity = Severity.CRITICAL
    make(WebhookEvent.FINDING_CRITICAL)
    score(workplace)
    assert states(database) == []


def test_what_was_not_stored_is_not_told(database: Database, workplace: Workplace, make: Make) -> None:
    make(WebhookEvent.EVALUATION_FINISHED)
    with database.unit_of_work() as unit:  # and no commit: what it was about failed
        unit.webhooks.tell([finished(1, 1, "p")])
        assert len(unit.webhooks.deliveries(1, before=None, limit=2)) == 1
    assert states(database) == []


def test_it_is_tried_again_at_growing_distances_then_given_up(
    database: Database, workplace: Workplace, clock: ManualClock, system: Receiver, make: Make
) -> None:
    make(WebhookEvent.EVALUATION_FINISHED)
    score(workplace)
    system.answers = [500] * MOST_ATTEMPTS
    waits = []
    while states(database)[0][1] == "waiting":
        assert send(database, clock) == 1
        assert send(database, clock) == 0, "not before it is due"
        with database.unit_of_work(read_only=True) as unit:
            (delivery,) = unit.webhooks.deliveries(1, before=None, limit=2)
            waits.append((delivery.next_at - clock.now()).total_seconds())
        clock.advance(max(waits[-1], 3601))
    assert waits[:4] == [30, 60, 120, 240]
    assert states(database) == [("evaluation.finished", "dead", MOST_ATTEMPTS)]
    assert len({headers["webhook-id"] for headers, _ in system.got}) == 1, "it is the same thing each time"


def test_a_person_sends_it_once_more(
    database: Database,
    workplace: Workplace,
    clock: ManualClock,
    system: Receiver,
    make: Make,
    webhooks: Webhooks,
) -> None:
    _, hook = make(WebhookEvent.EVALUATION_FINISHED)
    score(workplace)
    send(database, clock)
    again = webhooks.again(make.who, hook.id, 1, origin=Origin())  # type: ignore[attr-defined]
    assert (again.state, again.attempts) == (DeliveryState.WAITING, 0)
    assert send(database, clock) == 1
    assert [headers["webhook-id"] for headers, _ in system.got] == ["delivery-1"] * 2


def test_a_system_that_is_down_costs_one_try_in_each_pause(
    database: Database, workplace: Workplace, clock: ManualClock, system: Receiver, make: Make
) -> None:
    make(WebhookEvent.EVALUATION_FINISHED)
    for number in range(5):
        score(workplace, f"call {number}".encode())
    system.answers = [503, 503]
    assert send(database, clock) == 1
    assert send(database, clock) == 0
    clock.advance(31)
    assert send(database, clock) == 1, "and another one: the first may be to blame"
    clock.advance(61)
    assert send(database, clock) == 5
    assert {state for _, state, _ in states(database)} == {"delivered"}


def test_one_system_does_not_hold_up_another(
    database: Database, workplace: Workplace, clock: ManualClock, system: Receiver, make: Make
) -> None:
    make(WebhookEvent.EVALUATION_FINISHED, url="http://127.0.0.1:1/nobody")
    make(WebhookEvent.EVALUATION_FINISHED)
    score(workplace)
    assert send(database, clock) == 2
    assert len(system.got) == 1
    with database.unit_of_work(read_only=True) as unit:
        (failed,) = unit.webhooks.deliveries(1, before=None, limit=2)
    assert (failed.state, failed.error, failed.status) == (DeliveryState.WAITING, "connection_failed", None)


def test_what_waits_for_a_day_for_a_system_that_fails_is_dead(
    database: Database, workplace: Workplace, clock: ManualClock, system: Receiver, make: Make
) -> None:
    make(WebhookEvent.EVALUATION_FINISHED)
    for number in range(3):
        score(workplace, f"call {number}".encode())
    system.answers = [500]
    assert send(database, clock) == 1
    clock.advance(24 * 3600 + 1)
    assert send(database, clock) == 0
    assert {state for _, state, _ in states(database)} == {"dead"}


def test_several_workers_send_each_thing_once(
    database: Database, workplace: Workplace, clock: ManualClock, system: Receiver, make: Make
) -> None:
    make(WebhookEvent.EVALUATION_FINISHED)
    for number in range(30):
        score(workplace, f"call {number}".encode())
    workers = [threading.Thread(target=send, args=(database, clock)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sent = [headers["webhook-id"] for headers, _ in system.got]
    assert len(sent) == len(set(sent)) == 30


def test_who_died_while_sending_is_replaced(
    database: Database, workplace: Workplace, clock: ManualClock, system: Receiver, make: Make
) -> None:
    _, hook = make(WebhookEvent.EVALUATION_FINISHED)
    score(workplace)
    with database.unit_of_work() as unit:  # it claimed, and was never heard of again
        (claimed,) = unit.webhooks.claim(hook.id, 1, until=clock.now() + timedelta(minutes=10))
        unit.commit()
    assert send(database, clock) == 0
    clock.advance(601)
    assert send(database, clock) == 1
    with database.unit_of_work() as unit:  # and comes back too late
        assert not unit.webhooks.settle(claimed, SentTo(500, "refused"), state=DeliveryState.DEAD, next_at=None)
    assert states(database) == [("evaluation.finished", "delivered", 2)]


def test_a_machine_without_the_key_leaves_it_to_others(
    database: Database, workplace: Workplace, clock: ManualClock, system: Receiver, make: Make
) -> None:
    make(WebhookEvent.EVALUATION_FINISHED)
    score(workplace)
    for key in (None, b"another key that is long enough, too"):
        assert deliveries(database, clock, key=key).send_due(until=time.monotonic() + 20) == 0
    assert send(database, clock) == 1


def test_a_replaced_secret_signs_for_another_day(
    database: Database,
    workplace: Workplace,
    clock: ManualClock,
    system: Receiver,
    make: Make,
    webhooks: Webhooks,
) -> None:
    old, hook = make(WebhookEvent.EVALUATION_FINISHED)
    new, _ = webhooks.replace_secret(make.who, hook.id, origin=Origin())  # type: ignore[attr-defined]
    assert new != old
    for number, secrets in enumerate(([new, old], [new])):
        score(workplace, f"call {number}".encode())
        send(database, clock)
        headers, body = system.got[-1]
        stamp = int(headers["webhook-timestamp"])
        assert headers["webhook-signature"] == signature(secrets, headers["webhook-id"], stamp, body)
        clock.advance(24 * 3600 + 1)


def test_secrets_are_not_in_the_database(database: Database, make: Make) -> None:
    secret, hook = make(WebhookEvent.EVALUATION_FINISHED)
    with database.unit_of_work(read_only=True) as unit:
        stored = str(unit.webhooks.get(hook.id))
    assert secret.removeprefix("whsec_") not in stored
    assert secret == secret_of(KEY, hook.salt)


def test_appeals_that_are_due_are_told_once(
    database: Database, workplace: Workplace, clock: ManualClock, system: Receiver, make: Make
) -> None:
    workplace.packs["rules-zh"].outcome = Outcome.NOT_MET
    make(WebhookEvent.APPEAL_DUE)
    recording_id = score(workplace)
    due_at = clock.now() + timedelta(days=3)
    with database.unit_of_work() as unit:
        unit.session.execute(update(FindingRow).values(state="appealed", due_at=due_at))
        unit.commit()
    worker = deliveries(database, clock)
    worker.tell_of_appeals()
    assert states(database) == []
    clock.advance(2.5 * 24 * 3600)
    worker.tell_of_appeals()
    worker.tell_of_appeals()
    assert states(database) == [("appeal.due", "waiting", 0)]
    send(database, clock)
    told = json.loads(system.got[0][1])["data"]
    assert (told["recording_id"], told["finding_id"]) == (recording_id, 1)


def test_it_is_sent_beside_the_work(
    database: Database, workplace: Workplace, clock: ManualClock, system: Receiver, make: Make
) -> None:
    make(WebhookEvent.EVALUATION_FINISHED)
    score(workplace)
    worker = deliveries(database, clock)
    worker.look_after()
    deadline = time.monotonic() + 20
    while states(database)[0][1] != "delivered":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert worker._thread is not None
    worker._thread.join()
