"""Sending to addresses that people name, and to no others.

Guarantee: a name is resolved once, every address that it has is looked at, and the connection goes to the very one
that was allowed: a name that changes meanwhile leads nowhere else. No redirect is followed, no proxy of the
environment used, nothing read beyond the answer's head; the whole exchange ends within a limit, however slowly the
other side sends.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from typing import Final
from urllib.parse import SplitResult, urlsplit

from qa_service.errors import InputError
from qa_service.ports.webhooks import SentTo

LIMIT_S: Final = 10.0
MAX_URL_CHARACTERS: Final = 2000
_TAKEN: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")


class AllowedAddresses:
    """Public ones, and those of ``networks``."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)

    def allows(self, address: Address) -> bool:
        if self.is_own(address):
            return True
        if isinstance(address, ipaddress.IPv6Address):
            # An address of version 4 that is written as one of version 6 is what it stands for.
            inner = address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1])
            if address in _TRANSLATED:
                inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
            if inner:
                return self.allows(inner)
        return address.is_global and not address.is_multicast

    def is_own(self, address: Address) -> bool:
        """Whether the site has named it."""
        return any(address in network for network in self._networks if network.version == address.version)


def resolve(host: str, port: int) -> Sequence[Address]:
    """Every address that ``host`` has now. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found))


class PinnedClient:
    """Implements ``WebhookClient``."""

    def __init__(
        self,
        allowed: AllowedAddresses,
        *,
        limit_s: float = LIMIT_S,
        resolver: Callable[[str, int], Sequence[Address]] = resolve,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = allowed
        self._limit_s = limit_s
        self._resolver = resolver
        self._context = context

    def check(self, url: str) -> None:
        """What can be told from the address alone; names are looked up when something is sent.

        Raises:
            InputError: ``webhook_url_refused``.
        """
        parts = _parts(url)
        if parts is None:
            raise _refused("it is not an address such as https://example.com/hook")
        literal = _literal(parts.hostname or "")
        if literal is None:
            if parts.scheme != "https":
                raise _refused("it is not https: only addresses of QA_WEBHOOK_NETWORKS may be without")
        elif not self._allowed.allows(literal):
            raise _refused(
                "it is an address of this machine or of a private network, and not of QA_WEBHOOK_NETWORKS"
            )
        elif parts.scheme != "https" and not self._allowed.is_own(literal):
            raise _refused("it is not https: only addresses of QA_WEBHOOK_NETWORKS may be without")

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> SentTo:
        """See ``WebhookClient.post``."""
        parts = _parts(url)
        if parts is None or parts.hostname is None:
            return SentTo(None, "webhook_url_refused")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            addresses = self._resolver(parts.hostname, port)
        except (OSError, ValueError):
            return SentTo(None, "name_unknown")
        if not addresses or not all(self._allowed.allows(address) for address in addresses):
            return SentTo(None, "address_refused")
        address = addresses[0]
        if parts.scheme != "https" and not self._allowed.is_own(address):
            return SentTo(None, "address_refused")
        connection = _Pinned(parts.hostname, port, address, timeout=self._limit_s)
        if parts.scheme == "https":
            connection.tls = self._context or ssl.create_default_context()
        # Each wait is limited by itself, and all of them by this.
        watch = threading.Timer(self._limit_s, connection.cut)
        watch.daemon = True
        watch.start()
        try:
            with closing(connection):
                target = parts.path or "/"
                connection.request(
                    "POST", f"{target}?{parts.query}" if parts.query else target, body, dict(headers)
                )
                status = connection.getresponse().status
        except ssl.SSLError:
            return SentTo(None, "tls_failed")
        except TimeoutError:
            return SentTo(None, "timeout")
        except (OSError, http.client.HTTPException, ValueError):
            return SentTo(None, "timeout" if connection.is_cut else "connection_failed")
        finally:
            watch.cancel()
        if status in _TAKEN:
            return SentTo(status, None)
        return SentTo(status, "redirected" if status in _REDIRECTS else "refused")


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, for the host by whose name it was found."""

    tls: ssl.SSLContext | None = None
    is_cut = False

    def __init__(self, host: str, port: int, address: Address, *, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((str(self._address), self.port), self.timeout)
        if self.is_cut:
            raise TimeoutError
        if self.tls is not None:
            self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        self.is_cut = True
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    fits = (
        parts.scheme in ("http", "https")
        and parts.hostname
        and parts.username is None
        and parts.password is None
        and not parts.fragment
        and port != 0
        and len(url) <= MAX_URL_CHARACTERS
        and url.isascii()
        and url.isprintable()
        and " " not in url
    )
    return parts if fits else None


def _literal(host: str) -> Address | None:
    """The address that ``host`` is, also in the forms that only resolvers read (``0x7f.1``)."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _refused(why: str) -> InputError:
    return InputError("webhook_url_refused", f"nothing may be sent to this address, as {why}: give another")
