"""Buckets that speak S3, by their URL; endpoint, region and credentials come from obstore's ``AWS_…`` variables.

Guarantee: no credential, and nothing that a server says about one, reaches a message. What a bucket refuses may be
put right while the service runs (a key that was rotated), so nothing here condemns a recording: every trouble is a
TransientError, but for an endpoint that is none and for an object that must be restored before it can be read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from qa_service.errors import ConfigurationError, InputError, TransientError

if TYPE_CHECKING:
    from obstore.store import S3Store

PIECE_BYTES = 8 * 1024 * 1024
"""What is sent or fetched at once: each within one time limit, and in memory."""

LIST_PAGE = 1000
_REQUEST_LIMIT, _SILENCE_LIMIT, _CONNECT_LIMIT = (timedelta(seconds=seconds) for seconds in (60, 15, 5))
# Passing trouble is sat out here for seconds; beyond, the job goes back and others are served.
_RETRIES, _RETRY_LIMIT = 3, timedelta(seconds=10)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_ENDPOINT = re.compile(r"https?://([\w.-]+|\[[0-9a-fA-F:.]+\])(:(?P<port>\d{1,5}))?(/[\w./~%-]*)?", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REFUSALS = frozenset(
    {"NoSuchBucket", "InvalidBucketName", "PermanentRedirect", "AuthorizationHeaderMalformed", "AllAccessDisabled"}
)


@dataclass(frozen=True, slots=True)
class BucketObject:
    """One object as a listing tells it. ``stamp`` changes with its bytes."""

    key: str
    size_bytes: int
    stamp: str


def parse_bucket_url(url: str) -> tuple[str, str]:
    """Bucket and prefix (without slashes around it) of ``s3://bucket/prefix``.

    Raises:
        ValueError: it is none, or holds credentials.
    """
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError("credentials do not belong into the URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    if parts.scheme != "s3" or not _NAME.fullmatch(parts.netloc) or parts.query or parts.fragment:
        # Not repeated, here and below: of credentials with a slash in them half looks like a prefix.
        raise ValueError("this is no bucket: write it as s3://bucket or s3://bucket/prefix")
    prefix = parts.path.strip("/")
    if any(part in ("", ".", "..") for part in prefix.split("/")) and prefix:
        raise ValueError("the prefix of the bucket has empty parts or dots: correct it")
    return parts.netloc, prefix


class Bucket:
    """A bucket, or what lies under a prefix of it; keys are relative to that. It connects on first use."""

    def __init__(self, url: str) -> None:
        self.name, self.prefix = parse_bucket_url(url)
        self.url = f"s3://{self.name}" + (f"/{self.prefix}" if self.prefix else "")

    def head(self, key: str) -> BucketObject | None:
        """None: there is no such object, or no such bucket, or no object can have this key."""
        import obstore

        try:
            with self._errors():
                return _object(obstore.head(self._store, key))
        except FileNotFoundError:
            return None
        except ValueError:
            return None

    def read(self, key: str, start: int, end: int, *, stamp: str | None = None) -> bytes:
        """Bytes ``[start, end)`` of an object that has them.

        Args:
            key: of the object.
            start: in bytes.
            end: in bytes.
            stamp: the object must still be the one of this stamp.

        Raises:
            FileNotFoundError: it is gone.
            InputError: ``file_changing``, it is another one by now; ``file_unreadable``, it is archived.
        """
        import obstore
        from obstore.exceptions import PreconditionError

        options: dict[str, Any] = {"range": (start, end)}
        if stamp and stamp.startswith('"'):
            options["if_match"] = stamp
        try:
            with self._errors():
                return bytes(obstore.get(self._store, key, options=options).bytes())  # type: ignore[arg-type]
        except PreconditionError as error:
            raise InputError(
                "file_changing",
                "the object changed while it was read: score it again when it is written to its end",
                path=f"{self.url}/{key}",
            ) from error

    def put(self, key: str, file: BinaryIO) -> None:
        """All of ``file``, in pieces; visible when the last of them is there."""
        import obstore

        try:
            with self._errors():
                obstore.put(self._store, key, file, chunk_size=PIECE_BYTES, max_concurrency=2)
        except FileNotFoundError as error:
            raise self._refused("NoSuchBucket") from error

    def delete(self, key: str) -> None:
        import obstore

        try:
            with self._errors():
                obstore.delete(self._store, key)
        except FileNotFoundError:
            self.check()

    def list(self, folder: str = "") -> Iterator[BucketObject]:
        """Every object, or those under ``folder``, by key."""
        import obstore
        from obstore.exceptions import InvalidPathError

        pages = iter(obstore.list(self._store, folder or None, chunk_size=LIST_PAGE))
        while True:
            try:
                with self._errors():
                    page = next(pages, None)
            except InvalidPathError as error:
                named = re.search(r'Path "([^"]{1,1024})"', str(error))
                raise TransientError(
                    "source_unavailable",
                    f"{self.url} cannot be listed: the key {named[1] if named else '?'!r} has empty parts, dots "
                    "or control characters: rename or delete that object",
                ) from error
            if page is None:
                return
            yield from map(_object, page)

    def check(self) -> None:
        """Raises TransientError ``bucket_refused`` or ``storage_unavailable`` when it cannot be used."""
        import obstore

        with self._errors():
            next(iter(obstore.list(self._store, chunk_size=1)), None)

    @cached_property
    def _store(self) -> S3Store:
        try:
            from obstore.store import S3Store
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                "obstore_missing", "object storage needs obstore: pip install '.[s3]'"
            ) from error
        plain_http = _plain_http()
        return S3Store(
            self.name,
            prefix=self.prefix or None,
            client_options={
                "allow_http": plain_http,
                "connect_timeout": _CONNECT_LIMIT,
                "read_timeout": _SILENCE_LIMIT,
                "timeout": _REQUEST_LIMIT,
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_LIMIT},
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """FileNotFoundError, InvalidPathError and PreconditionError pass: their callers know what they mean."""
        _ = self._store
        from obstore.exceptions import BaseError, InvalidPathError, PreconditionError

        try:
            yield
        except (InvalidPathError, PreconditionError):
            raise
        except FileNotFoundError as error:
            if _first(_CODE, error) == "NoSuchBucket":
                raise self._refused("NoSuchBucket") from None
            raise
        except BaseError as error:
            status, code = _first(_STATUS, error), _first(_CODE, error)
            if code == "InvalidObjectState":
                raise InputError(
                    "file_unreadable", "the object is archived (InvalidObjectState): restore it to be read"
                ) from None
            if code in _REFUSALS or status in ("301", "400", "401", "403"):
                raise self._refused(code or status) from None
            reason = code or (f"status {status}" if status else "no connection")
            raise TransientError(
                "storage_unavailable", f"the bucket {self.url} does not answer ({reason}): repair its server"
            ) from None  # what the server said may repeat the key's name

    def _refused(self, reason: str) -> TransientError:
        return TransientError(
            "bucket_refused",
            f"the bucket {self.url} is refused ({reason}): check its name, AWS_ENDPOINT_URL, AWS_REGION, the "
            "credentials and what they permit, and this machine's clock",
        )


def _plain_http() -> bool:
    """Whether the endpoint is asked for without encryption, which our own client options would forbid.

    Raises:
        ConfigurationError: an endpoint is none. The client would end the process (obstore 0.12.1: PanicException).
    """
    endpoint = ""
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        if (value := os.environ.get(name)) is None:
            continue
        found = _ENDPOINT.fullmatch(value)
        if found is None or int(found["port"] or 0) > 65535:
            raise ConfigurationError(
                "settings_invalid", f"{name} is no address: write it as https://host:port, or unset it"
            )
        endpoint = value
    return endpoint.startswith("http://") or os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("true", "1")


def _object(meta: Any) -> BucketObject:
    changed_at: datetime = meta["last_modified"]
    return BucketObject(meta["path"], meta["size"], meta["e_tag"] or changed_at.isoformat())


def _first(pattern: re.Pattern[str], error: Exception) -> str:
    found = pattern.search(str(error))
    return found[1] if found else ""
