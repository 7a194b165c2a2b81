"""Passwords: Argon2id with the parameters of RFC 9106 for memory-constrained machines (argon2-cffi's defaults)."""

from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


class Argon2Hasher:
    """Implements ``PasswordHasher``."""

    def __init__(self) -> None:
        self._argon2 = PasswordHasher()

    @cached_property
    def _nobody(self) -> str:
        return self._argon2.hash("")

    def hash(self, password: str) -> str:
        return self._argon2.hash(password)

    def verify(self, password_hash: str | None, password: str) -> bool:
        try:
            right = self._argon2.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return right and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        return self._argon2.check_needs_rehash(password_hash)
