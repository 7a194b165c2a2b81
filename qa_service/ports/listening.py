"""Copies of recordings that people listen to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from qa_service.domain.call import CallMetadata, Recording
from qa_service.domain.timeline import TimeSpan


class ListeningCopy(Protocol):
    """A WAV file (16 bit, one or two channels) of a recording or a clip of it, with its silences in place.

    Guarantee: whichever bytes are read, in whatever order, nothing of a silent span is among them.
    """

    size_bytes: int
    """Of the whole file: what Content-Length and Content-Range need."""
    duration_s: float
    media_type: str
    etag: str
    """Another one for other bytes: hex digits, without quotation marks."""

    def read_range(self, start: int, end: int) -> Iterator[bytes]:
        """Bytes ``[start, end)`` in pieces, cut at the end. Raises ValueError for a range that is none."""
        ...


class ListeningCopies(Protocol):
    def open(
        self,
        recording: Recording,
        metadata: CallMetadata,
        *,
        silent: Sequence[TimeSpan],
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> AbstractContextManager[ListeningCopy]:
        """The copy of ``[start_s, end_s)``, or of the whole recording; it can be read inside the context.

        Args:
            recording: what to listen to.
            metadata: says how its files are to be read.
            silent: when nothing may be heard, in seconds of the recording.
            start_s: where the clip begins; None: at the start.
            end_s: where it ends, cut at the recording's end; None: there.

        Raises:
            InputError: ``clip_invalid``; the decoder's codes.
            NotFoundError: ``blob_not_found``.
            EngineError: ``engine_missing``.
            TransientError: ``listening_unavailable``, ``storage_unavailable``, ``decoder_unavailable``.
        """
        ...

    def forget(self, recording: Recording) -> None:
        """Keep nothing of the recording, as when it is deleted."""
        ...
