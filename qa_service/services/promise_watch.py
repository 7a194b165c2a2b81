"""What the machine does about promises: it finds them, follows them through later calls, and says when the time of
one is over.

Guarantee: whatever the order in which calls are scored, and however often, promises stand as if all had been
scored at once. What people said of a promise stays.
"""

from collections.abc import Collection
from typing import Final

from qa_service.domain.promises import Followed, PromiseFact, PromisePolicy, Standing, follow
from qa_service.domain.webhooks import promise_overdue
from qa_service.ports import Clock, UnitOfWork, UnitOfWorkFactory
from qa_service.ports.promises import Promise

_TOLD_AT_ONCE: Final = 500


class PromiseWatch:
    """Args:
    units: where they are stored.
    units_to_read: the same, for reading only.
    clock: the time.
    policy: which promises are followed, and until when they are to be kept.
    """

    def __init__(
        self,
        *,
        units: UnitOfWorkFactory,
        units_to_read: UnitOfWorkFactory,
        clock: Clock,
        policy: PromisePolicy,
    ) -> None:
        self._units = units
        self._units_to_read = units_to_read
        self._clock = clock
        self._policy = policy

    def look_at(self, unit: UnitOfWork, recording_ids: Collection[int]) -> None:
        """Bring promises made in these calls, and those of their customers, into step."""
        customers = unit.promises.customers_of(recording_ids)
        opened = unit.promises.opened(recording_ids)
        for one in opened:
            # Without a reference nobody can follow it: that is not the agent's fault, and not a kept promise.
            standing = Standing.OPEN if one.customer_ref else Standing.UNKNOWN
            unit.promises.put(one, due_at=self._policy.due(one.at, one.days), standing=standing)
        found = {(one.recording_id, one.item) for one in opened}
        for promise in unit.promises.of_recordings(recording_ids):
            if promise.in_force and (promise.recording_id, promise.item) not in found:
                unit.promises.let_go(promise.id)
        self._follow(unit, customers)

    def _follow(self, unit: UnitOfWork, customers: Collection[str]) -> None:
        of_customer: dict[str, list[Promise]] = {}
        for promise in unit.promises.of_customers(customers):
            assert promise.customer_ref is not None
            of_customer.setdefault(promise.customer_ref, []).append(promise)
        if not of_customer:
            return
        calls = unit.promises.calls_of(
            of_customer, reply_rules=self._policy.reply_rules, connected_s=self._policy.connected_s
        )
        for customer, promises in of_customer.items():
            facts = [
                PromiseFact(one.id, one.recording_id, one.promised_at, self._is_followed(one)) for one in promises
            ]
            followed = follow(facts, calls[customer])
            for promise in promises:
                if promise.decided is not None:
                    continue  # it stands as it stood when somebody decided
                now = followed.get(promise.id, Followed(Standing.OPEN))
                if (promise.standing, promise.followed_by, promise.followed_at) != (now.standing, now.by, now.at):
                    unit.promises.stand(promise.id, now)

    def _is_followed(self, promise: Promise) -> bool:
        return promise.decided is None and promise.item in self._policy.replies

    def look_after(self) -> None:
        """Tell of promises of which the time is over, once each."""
        now = self._clock.now()
        with self._units_to_read() as unit:
            if not unit.promises.overdue(now, 1):
                return
        with self._units() as unit:
            for promise in unit.promises.overdue(now, _TOLD_AT_ONCE, hold=True):
                unit.promises.told(promise.id)
                unit.webhooks.tell([promise_overdue(promise.id, promise.recording_id, promise.due_at)])
            unit.commit()
