"""Sending to addresses that people name: to no private one, to no other one, and not for ever."""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from qa_service.adapters.webhook_client import AllowedAddresses, PinnedClient
from qa_service.errors import InputError
from qa_service.ports.webhooks import SentTo
from tests.webhooks import Receiver, receiver

HERE = ipaddress.ip_network("127.0.0.0/8")


@pytest.fixture
def system() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def client(*networks: ipaddress.IPv4Network, limit_s: float = 5.0) -> PinnedClient:
    return PinnedClient(AllowedAddresses(networks), limit_s=limit_s)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::", "64:ff9b::7f00:1"),
        "64:ff9b::a9fe:a9fe",
    ],
)
def test_private_addresses_are_refused_in_every_spelling(address: str) -> None:
    assert not AllowedAddresses(()).allows(ipaddress.ip_address(address))
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(InputError, match="webhook_url_refused"):
        client().check(f"https://{host}/hook")
    assert client().post(f"https://{host}/hook", {}, b"") == SentTo(None, "address_refused")


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert AllowedAddresses(()).allows(ipaddress.ip_address(address))


def test_only_named_networks_are_allowed_besides() -> None:
    allowed = AllowedAddresses((ipaddress.ip_network("10.1.0.0/16"),))
    assert allowed.allows(ipaddress.ip_address("10.1.2.3"))
    assert allowed.allows(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert not allowed.allows(ipaddress.ip_address("10.2.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://example.com/", "https://", "https:///x", "https://user:pw@example.com/", "//example.com"),
        *("https://example.com/#a", "https://example.com:0/", "https://example.com:99999/", "https://[::1"),
        *("https://0x7f.1/", "https://2130706433/", "https://017700000001/", "https://127.1/"),
        *("http://example.com/", "http://8.8.8.8/", "https://例子.com/", "https://a b/", "https://a\r\nb/"),
        "https://example.com/" + "x" * 2000,
    ],
)
def test_odd_addresses_are_refused_when_they_are_given(url: str) -> None:
    with pytest.raises(InputError, match="webhook_url_refused"):
        client().check(url)


def test_good_addresses_are_taken() -> None:
    client().check("https://example.com:8443/hook?a=b")
    client(HERE).check("http://127.0.0.1:8000/hook")


def test_what_is_sent_arrives_and_status_tells(system: Receiver) -> None:
    system.answers = [204, 500, 404]
    sender = client(HERE)
    assert sender.post(system.url + "?a=b", {"X-A": "1"}, b"body") == SentTo(204, None)
    assert sender.post(system.url, {}, b"") == SentTo(500, "refused")
    assert sender.post(system.url, {}, b"") == SentTo(404, "refused")
    headers, body = system.got[0]
    assert (headers["x-a"], body, system.paths[0]) == ("1", b"body", "/hook?a=b")


def test_no_redirect_is_followed(system: Receiver) -> None:
    system.answers = [302, 307]
    for status in (302, 307):
        assert client(HERE).post(system.url, {}, b"") == SentTo(status, "redirected")
    assert system.paths == ["/hook", "/hook"]


def test_a_name_is_resolved_once_and_the_connection_goes_there(system: Receiver) -> None:
    """A name that leads elsewhere when it is asked again leads nowhere else."""
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[ipaddress.IPv4Address]:
        asked.append(host)
        return [ipaddress.IPv4Address(one) for one in answers[len(asked) - 1]]

    only_one = ipaddress.ip_network("127.0.0.1/32")
    sender = PinnedClient(AllowedAddresses((only_one,)), limit_s=5, resolver=resolver)
    url = system.url.replace("127.0.0.1", "rebinding.example")
    assert sender.post(url, {}, b"") == SentTo(200, None)
    assert asked == ["rebinding.example"]
    assert system.got[0][0]["host"].startswith("rebinding.example:")
    assert sender.post(url, {}, b"") == SentTo(None, "address_refused")
    assert len(system.got) == 1


def test_one_private_address_among_others_is_enough_to_refuse() -> None:
    both = [ipaddress.ip_address("8.8.8.8"), ipaddress.ip_address("10.0.0.1")]
    sender = PinnedClient(AllowedAddresses(()), resolver=lambda *_: both)
    assert sender.post("https://example.com/", {}, b"") == SentTo(None, "address_refused")


def test_proxies_of_the_environment_are_not_used(system: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert client(HERE).post(system.url, {}, b"") == SentTo(200, None)


def test_nobody_there_and_no_such_name() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert client(HERE).post(f"http://127.0.0.1:{port}/", {}, b"") == SentTo(None, "connection_failed")

    def unknown(host: str, port: int) -> list[ipaddress.IPv4Address]:
        raise socket.gaierror("no such name")

    sender = PinnedClient(AllowedAddresses(()), resolver=unknown)
    assert sender.post("https://nowhere.example/", {}, b"") == SentTo(None, "name_unknown")


@pytest.mark.parametrize(
    "trickle",
    [b"", b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 3, b"nonsense that is no answer\r\n\r\n"],
)
def test_who_answers_slowly_or_wrongly_is_given_up(trickle: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    for byte in trickle:
                        connection.sendall(bytes([byte]))
                        if done.wait(0.05):
                            return
                    done.wait(10)
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        began = time.monotonic()
        port = server.getsockname()[1]
        sent = client(HERE, limit_s=0.5).post(f"http://127.0.0.1:{port}/", {}, b"x")
        took_s = time.monotonic() - began
        done.set()
        thread.join()
    assert sent.error in ("timeout", "connection_failed")
    assert took_s < 3


def test_https_needs_a_certificate_that_is_known(system: Receiver) -> None:
    url = system.url.replace("http:", "https:")  # it answers in the clear
    assert client(HERE).post(url, {}, b"") == SentTo(None, "tls_failed")
    assert system.got == []
