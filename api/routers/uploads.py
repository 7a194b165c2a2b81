"""Uploads: a recording with what is told of its call, streamed to the disk and queued to be scored."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from api.access import Asking, AskingContext, operation
from api.masks import Eyes
from api.multipart import ReceivedFile, invalid, receive
from api.repeats import IdempotencyKey, once
from api.schemas.metadata import MetadataModel
from api.schemas.recordings import JobModel, RecordingModel, UploadedModel
from qa_service.domain.access import Permission
from qa_service.services.uploads import Upload

router = APIRouter(tags=["recordings"])

_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "metadata": {"$ref": "#/components/schemas/MetadataModel"},
                    "file": {"type": "string", "format": "binary", "description": "The recording, named"},
                },
                "required": ["file"],
            },
            "encoding": {"metadata": {"contentType": "application/json"}},
        }
    },
}


@operation(
    router,
    "POST",
    "/recordings",
    Permission.RECORDINGS_WRITE,
    status=201,
    errors=(408, 409, 413, 415, 503, 507),
    response_model=UploadedModel,
    responses={200: {"model": UploadedModel, "description": "The same bytes were there"}},
    openapi_extra={"requestBody": _BODY},
)
async def upload_recording(request: Request, asking: Asking, key: IdempotencyKey = None) -> Response:
    """Send a recording: `multipart/form-data` with a part `file` and, as JSON, `metadata`.

    It is stored whole or not at all, and queued to be scored. The same bytes are one recording: sent again they
    are answered 200, and may add to the metadata but not contradict them.
    """
    settings = asking.site.settings
    received = await receive(request, settings.data_dir / "uploads", max_file_bytes=settings.max_file_bytes)
    try:
        return await run_in_threadpool(_store, asking, received, key)
    finally:
        received.file.close()


def _store(asking: AskingContext, received: ReceivedFile, key: str | None) -> Response:
    sent = _metadata(received.metadata)
    told = sent.metadata(zone=asking.site.settings.zone)
    upload = Upload(received.file, received.name, received.size_bytes, received.sha256)

    def create() -> tuple[UploadedModel, str, int]:
        stored = asking.site.uploads.receive(asking.who, upload, told, origin=asking.origin)
        answer = UploadedModel(
            recording=RecordingModel.of_details(stored.call, Eyes(asking.who)),
            job=None if stored.job is None else JobModel.of(stored.job),
            new=stored.new,
        )
        return answer, f"/v1/recordings/{stored.call.recording.id}", 201 if stored.new else 200

    named = f"{received.sha256}\n{received.name}\n{sent.model_dump_json()}"
    return once(asking, "recordings", key, named.encode("utf-8", "replace"), create)


def _metadata(told: bytes) -> MetadataModel:
    """Raises InputError ``upload_invalid``."""
    if not told.strip():
        return MetadataModel()
    try:
        return MetadataModel.model_validate_json(told)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        shown = "; ".join(f"{'/'.join(map(str, ('metadata', *f['loc'])))}: {f['msg']}" for f in faults[:3])
        raise invalid(shown) from None
