"""Object storage: whether it can be reached, written and read with the credentials at hand."""

import io
import os
import time

from qa_service.adapters.buckets import Bucket
from qa_service.errors import QAError
from qa_service.services.diagnosis import Finding, failed, ok

_PROBE = b"written by qa doctor and removed again"


def blob_bucket(url: str) -> Finding:
    """Writes, reads back and deletes an object of its own."""
    bucket = Bucket(url)
    key = f"doctor/{os.urandom(16).hex()}"
    started = time.monotonic()
    try:
        bucket.put(key, io.BytesIO(_PROBE))
        try:
            same = bucket.read(key, 0, len(_PROBE)) == _PROBE
        finally:
            bucket.delete(key)
    except FileNotFoundError:
        return failed(f"{bucket.url}: what was written is not there", "use storage that reads what it wrote")
    except QAError as error:
        what, _, remedy = error.message.partition(": ")
        return failed(f"{error.code}: {what}", remedy)
    if not same:
        return failed(
            f"{bucket.url}: what was written comes back changed", "look at what lies between here and it"
        )
    return ok(f"{bucket.url} written, read back and cleaned in {time.monotonic() - started:.1f} s")
