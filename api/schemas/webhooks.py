"""Webhooks and what is on its way to them."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.schemas.base import Name, Sent, Shown, ShownTime
from qa_service.domain.webhooks import WebhookEvent
from qa_service.ports.webhooks import Delivery, DeliveryState, Webhook

Subscribable = Literal[
    WebhookEvent.EVALUATION_FINISHED,
    WebhookEvent.FINDING_CRITICAL,
    WebhookEvent.APPEAL_DUE,
    WebhookEvent.COMPLAINT_RAISED,
    WebhookEvent.COMPLAINT_OVERDUE,
    WebhookEvent.PROMISE_OVERDUE,
]
Events = Annotated[list[Subscribable], Field(min_length=1, max_length=8)]
Address = Annotated[str, StringConstraints(min_length=8, max_length=2000, pattern=r"^https?://[\x21-\x7e]+$")]


class NewWebhook(Sent):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "tickets", "url": "https://example.com/hook", "events": ["finding.critical"]}
        }
    )

    name: Name
    url: Address
    events: Events


class WebhookChange(Sent):
    """What is given is changed."""

    model_config = ConfigDict(json_schema_extra={"example": {"active": False}})

    name: Name | None = None
    url: Address | None = None
    events: Events | None = None
    active: bool | None = None


class WebhookModel(Shown):
    """``failures``: in a row, just now; nothing is sent before ``paused_until``. Until ``old_secret_until`` what
    is sent is signed with the secret before this one too."""

    id: int
    name: str
    url: str
    events: list[WebhookEvent]
    active: bool
    failures: int
    paused_until: ShownTime | None
    old_secret_until: ShownTime | None
    version: int
    created_at: ShownTime
    updated_at: ShownTime

    @staticmethod
    def of(webhook: Webhook) -> "WebhookModel":
        return WebhookModel(**_told(webhook))


class WebhookWithSecret(WebhookModel):
    """``secret`` is told this once."""

    secret: str

    @staticmethod
    def with_secret(webhook: Webhook, secret: str) -> "WebhookWithSecret":
        return WebhookWithSecret(**_told(webhook), secret=secret)


class DeliveryModel(Shown):
    """``data``: numbers of rows and codes. ``status``, ``error``: what came of the last attempt."""

    id: int
    event: WebhookEvent
    data: dict[str, Any]
    state: DeliveryState
    attempts: int
    next_at: ShownTime
    created_at: ShownTime
    ended_at: ShownTime | None
    status: int | None
    error: str | None

    @staticmethod
    def of(delivery: Delivery) -> "DeliveryModel":
        return DeliveryModel.model_validate(delivery)


def _told(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "events": sorted(webhook.events),
        "active": webhook.active,
        "failures": webhook.failures,
        "paused_until": webhook.paused_until,
        "old_secret_until": webhook.old_until,
        "version": webhook.version,
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
    }
