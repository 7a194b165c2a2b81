"""Coded errors. Codes are stable; the core knows no HTTP, the web layer maps types to status once.

Every message names the thing and, after a colon or dash, what to do about it.
"""


class QAError(Exception):
    """A coded error with context for logs (never transcript text)."""

    def __init__(self, code: str, message: str, **context: object) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.context = context


class InputError(QAError):
    """The given recording or metadata cannot be used."""


class ConfigurationError(QAError):
    """A setting is wrong; nothing was started."""


class RulePackError(QAError):
    """A rule pack has faults. ``faults`` holds all of them, each with file and line."""

    def __init__(self, code: str, message: str, *, faults: tuple[str, ...] = (), **context: object) -> None:
        super().__init__(code, message, **context)
        self.faults = faults


class ConflictError(QAError):
    """Somebody else changed or holds the thing."""


class NotFoundError(QAError):
    """No such thing."""


class AuthenticationError(QAError):
    """Nobody, or nobody who is known, asks."""


class PermissionDeniedError(QAError):
    """Who asks may not do this."""


class EngineError(QAError):
    """A speech engine cannot work: model missing or corrupt, out of memory."""


class TransientError(QAError):
    """May work next time: the only kind that is retried."""
