"""Webhooks: other systems are told what happens. Workers send; here they are set up and looked at."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.access import Asking, operation
from api.paging import CursorText, Limit, Page, fingerprint, page_of, read_cursor
from api.repeats import IdempotencyKey, once
from api.schemas.base import Number
from api.schemas.webhooks import DeliveryModel, NewWebhook, WebhookChange, WebhookModel, WebhookWithSecret
from api.versions import IfMatch, seen_version, tag
from qa_service.domain.access import Permission
from qa_service.ports.webhooks import DeliveryState

router = APIRouter(tags=["webhooks"])


@operation(router, "GET", "/webhooks", Permission.WEBHOOKS_MANAGE, errors=(400,))
def list_webhooks(asking: Asking, limit: Limit = 50, cursor: CursorText = None) -> Page[WebhookModel]:
    """Webhooks, in the order in which they were made."""
    of = fingerprint("webhooks")
    after = (read_cursor(cursor, of, int) or [0])[0]
    with asking.site.units_to_read() as unit:
        found = unit.webhooks.page(after=after, limit=limit + 1)
    return page_of(found, limit, of, shown=WebhookModel.of, key=lambda webhook: [webhook.id])


@operation(
    router,
    "POST",
    "/webhooks",
    Permission.WEBHOOKS_MANAGE,
    status=201,
    errors=(409,),
    response_model=WebhookWithSecret,
)
def create_webhook(asking: Asking, sent: NewWebhook, key: IdempotencyKey = None) -> Response:
    """Make a webhook. The answer holds its secret, this once."""

    def create() -> tuple[WebhookWithSecret, str]:
        secret, webhook = asking.site.webhooks.create(
            asking.who, sent.name, sent.url, frozenset(sent.events), origin=asking.origin
        )
        return WebhookWithSecret.with_secret(webhook, secret), f"/v1/webhooks/{webhook.id}"

    return once(asking, "webhooks", key, sent, create, holds_secret=True)


@operation(router, "GET", "/webhooks/{webhook_id}", Permission.WEBHOOKS_MANAGE, errors=(404,))
def get_webhook(asking: Asking, response: Response, webhook_id: Number) -> WebhookModel:
    """A webhook; its ETag is needed to change it."""
    with asking.site.units_to_read() as unit:
        webhook = unit.webhooks.get(webhook_id)
    tag(response, webhook.version)
    return WebhookModel.of(webhook)


@operation(router, "PATCH", "/webhooks/{webhook_id}", Permission.WEBHOOKS_MANAGE, errors=(404, 409, 412, 428))
def change_webhook(
    asking: Asking, response: Response, webhook_id: Number, sent: WebhookChange, if_match: IfMatch = None
) -> WebhookModel:
    """Change a webhook, or switch it off. What waits for it is tried at once."""
    webhook = asking.site.webhooks.change(
        asking.who,
        webhook_id,
        version=seen_version(if_match),
        name=sent.name,
        url=sent.url,
        events=None if sent.events is None else frozenset(sent.events),
        active=sent.active,
        origin=asking.origin,
    )
    tag(response, webhook.version)
    return WebhookModel.of(webhook)


@operation(router, "POST", "/webhooks/{webhook_id}/secret", Permission.WEBHOOKS_MANAGE, status=201, errors=(404,))
def replace_webhook_secret(asking: Asking, webhook_id: Number) -> WebhookWithSecret:
    """A new secret; for another day what is sent is signed with the old one too."""
    secret, webhook = asking.site.webhooks.replace_secret(asking.who, webhook_id, origin=asking.origin)
    return WebhookWithSecret.with_secret(webhook, secret)


@operation(router, "POST", "/webhooks/{webhook_id}/test", Permission.WEBHOOKS_MANAGE, status=202, errors=(404,))
def test_webhook(asking: Asking, webhook_id: Number) -> DeliveryModel:
    """Send `webhook.test`, which means nothing, to see whether it arrives."""
    return DeliveryModel.of(asking.site.webhooks.test(asking.who, webhook_id, origin=asking.origin))


@operation(router, "GET", "/webhooks/{webhook_id}/deliveries", Permission.WEBHOOKS_MANAGE, errors=(400, 404))
def list_deliveries(
    asking: Asking,
    webhook_id: Number,
    limit: Limit = 50,
    cursor: CursorText = None,
    state: Annotated[DeliveryState | None, Query()] = None,
) -> Page[DeliveryModel]:
    """What a webhook was and will be told, the newest first; kept for 30 days."""
    of = fingerprint("deliveries", webhook_id, state)
    before = (read_cursor(cursor, of, int) or [None])[0]
    with asking.site.units_to_read() as unit:
        unit.webhooks.get(webhook_id)
        found = unit.webhooks.deliveries(webhook_id, before=before, limit=limit + 1, state=state)
    return page_of(found, limit, of, shown=DeliveryModel.of, key=lambda delivery: [delivery.id])


@operation(
    router,
    "POST",
    "/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    Permission.WEBHOOKS_MANAGE,
    status=202,
    errors=(404,),
)
def redeliver(asking: Asking, webhook_id: Number, delivery_id: Number) -> DeliveryModel:
    """Send something once more, from the first attempt on."""
    return DeliveryModel.of(asking.site.webhooks.again(asking.who, webhook_id, delivery_id, origin=asking.origin))
