"""The site's key, of which secrets that have to be used again are made. It is never in the database."""

import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from qa_service.errors import ConfigurationError

FILE: Final = "webhooks.key"


def site_key(given: str | None, data_dir: Path) -> bytes:
    """The one that the settings give, else that of the data directory, which is made when it is not there.

    Raises:
        ConfigurationError: ``site_key_unreadable``.
    """
    known = known_site_key(given, data_dir)
    if known is not None:
        return known
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=data_dir, prefix=FILE)  # for its owner alone
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_hex(32))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, data_dir / FILE)
        except FileExistsError:  # another process was faster, and its key counts
            pass
        finally:
            Path(temporary).unlink()
    except OSError as error:
        raise _unreadable(data_dir, error) from error
    made = known_site_key(given, data_dir)
    assert made is not None
    return made


def known_site_key(given: str | None, data_dir: Path) -> bytes | None:
    """The key as far as this machine has it. Raises ConfigurationError ``site_key_unreadable``."""
    if given:
        return given.encode()
    try:
        return (data_dir / FILE).read_bytes().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(data_dir, error) from error


def _unreadable(data_dir: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "site_key_unreadable",
        f"the key of the webhooks' secrets, {data_dir / FILE}, cannot be read or made ({error.strerror}): correct "
        "its permissions, or set QA_WEBHOOK_KEY",
    )
