"""Webhooks: what is told to other systems, how it is signed, and when it is tried again.

Guarantee: pure. What is told holds numbers of rows and stable codes only: no words, no names, no scores. Who wants
more asks the API, with rights of their own.

Signatures are those of Standard Webhooks 1.0 (standardwebhooks.com), for which receivers find libraries:
HMAC-SHA256 over ``id.timestamp.body``.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

SECRET_PREFIX: Final = "whsec_"
MOST_ATTEMPTS: Final = 12
GIVEN_UP_AFTER: Final = timedelta(hours=24)
_FIRST_WAIT: Final = timedelta(seconds=30)
_LONGEST_WAIT: Final = timedelta(hours=6)
_LONGEST_PAUSE: Final = timedelta(hours=1)


class WebhookEvent(StrEnum):
    """Names are stable."""

    EVALUATION_FINISHED = "evaluation.finished"
    FINDING_CRITICAL = "finding.critical"
    APPEAL_DUE = "appeal.due"
    COMPLAINT_RAISED = "complaint.raised"
    COMPLAINT_OVERDUE = "complaint.overdue"
    PROMISE_OVERDUE = "promise.overdue"
    TEST = "webhook.test"
    """Sent on request alone; nobody subscribes to it."""


Data = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened. ``key``: the same thing is told a webhook once."""

    event: WebhookEvent
    key: str
    data: Data


def finished(recording_id: int, evaluation_id: int, pack: str) -> Told:
    event = WebhookEvent.EVALUATION_FINISHED
    data: Data = {"recording_id": recording_id, "evaluation_id": evaluation_id, "pack": pack}
    return Told(event, f"{event}:{evaluation_id}", data)


def critical(recording_id: int, evaluation_id: int, finding_id: int, rule: str) -> Told:
    event = WebhookEvent.FINDING_CRITICAL
    data: Data = {
        "recording_id": recording_id,
        "evaluation_id": evaluation_id,
        "finding_id": finding_id,
        "rule": rule,
    }
    return Told(event, f"{event}:{finding_id}", data)


def appeal_due(recording_id: int, finding_id: int, due_at: datetime) -> Told:
    event = WebhookEvent.APPEAL_DUE
    told_at = due_at.isoformat(timespec="seconds")
    data: Data = {"recording_id": recording_id, "finding_id": finding_id, "due_at": told_at}
    return Told(event, f"{event}:{finding_id}:{told_at}", data)


def complaint_raised(complaint_id: int, level: int, respond_by: datetime) -> Told:
    event = WebhookEvent.COMPLAINT_RAISED
    told_at = respond_by.isoformat(timespec="seconds")
    data: Data = {"complaint_id": complaint_id, "level": level, "respond_by": told_at}
    return Told(event, f"{event}:{complaint_id}", data)


def complaint_overdue(complaint_id: int, level: int, clock: str) -> Told:
    """``clock``: which one has run out, ``response`` or ``handling``."""
    event = WebhookEvent.COMPLAINT_OVERDUE
    data: Data = {"complaint_id": complaint_id, "level": level, "clock": clock}
    return Told(event, f"{event}:{complaint_id}:{clock}", data)


def promise_overdue(promise_id: int, recording_id: int, due_at: datetime) -> Told:
    event = WebhookEvent.PROMISE_OVERDUE
    told_at = due_at.isoformat(timespec="seconds")
    data: Data = {"promise_id": promise_id, "recording_id": recording_id, "due_at": told_at}
    return Told(event, f"{event}:{promise_id}", data)


def secret_of(site_key: bytes, salt: str) -> str:
    """The secret of a webhook, made anew whenever it is needed: nothing that is stored beside the webhook gives it
    away without the site's key."""
    made = hmac.digest(site_key, f"webhook secret {salt}".encode(), "sha256")
    return SECRET_PREFIX + base64.b64encode(made).decode()


def key_id(site_key: bytes) -> str:
    """Tells keys apart, and nothing more of them."""
    return hashlib.sha256(b"webhook key id " + site_key).hexdigest()[:16]


def signature(secrets: Sequence[str], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header's value; while a secret is replaced, one for each, so that receivers change when they like."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    keys = (base64.b64decode(secret.removeprefix(SECRET_PREFIX)) for secret in secrets)
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys)


def wait_after(attempts: int) -> timedelta:
    """Until a delivery is tried again that failed so often."""
    return min(_FIRST_WAIT * (1 << min(attempts - 1, 20)), _LONGEST_WAIT)


def pause_after(failures: int) -> timedelta:
    """For how long nothing is sent to who failed so often in a row: one try tells that a system is down."""
    return min(_FIRST_WAIT * (1 << min(failures - 1, 20)), _LONGEST_PAUSE)
