"""The decoder's coded errors that more than one of its modules raises.

Messages speak of "the recording", not of its path: it may be a stored blob's, which tells nobody anything.
"""

from qa_service.errors import InputError, TransientError


def raw_not_audio(encoding: str) -> InputError:
    return InputError("not_audio", f"the file cannot be decoded as {encoding}: check the declared raw_format")


def not_audio() -> InputError:
    return InputError(
        "not_audio",
        "nothing in the file can be decoded as audio: check that it plays, or export it as WAV, FLAC, MP3 or Ogg; "
        "a file without a header needs its raw_format in the call metadata, such as mulaw/8000",
    )


def corrupt(fault: str) -> InputError:
    return InputError("audio_corrupt", f"the recording {fault}: copy or export it again")


def too_long(max_duration_s: float) -> InputError:
    return InputError("too_long", f"the recording is longer than {max_duration_s / 3600:g} h: split it into calls")


def storage_unavailable(error: Exception) -> TransientError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return TransientError(
        "storage_unavailable",
        f"the folder for temporary audio cannot be used ({reason}): free disk space there or choose another",
    )
