"""Where a webhook may go: every kind of address that hides another network behind it is refused, with the reason."""

from __future__ import annotations

import asyncio
import ipaddress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_alerts import address
from gigawatch_alerts.address import PinnedTransport, Policy, Refused, networks, objection, origin, permitted
from gigawatch_alerts.sink import Sink
from gigawatch_contract.errors import ConfigurationError

PUBLIC = Policy()
HIDDEN = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
    "2001:10::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_what_is_not_public_is_refused(text: str) -> None:
    found = objection(ipaddress.ip_address(text), scheme="https", port=443, policy=PUBLIC)
    assert found is not None
    assert "allow" in found


@pytest.mark.parametrize("text", ["1.1.1.1", "8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450::1"])
def test_what_is_public_is_reached_by_https_on_the_allowed_ports(text: str) -> None:
    ip = ipaddress.ip_address(text)
    assert objection(ip, scheme="https", port=443, policy=PUBLIC) is None
    assert "use https" in str(objection(ip, scheme="http", port=443, policy=PUBLIC))
    assert "allow_ports" in str(objection(ip, scheme="https", port=25, policy=PUBLIC))
    assert objection(ip, scheme="https", port=8443, policy=Policy(ports=frozenset({443, 8443}))) is None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_an_ipv6_coat_is_no_freer_than_without(inner: ipaddress.IPv4Address) -> None:
    bare = objection(inner, scheme="https", port=443, policy=PUBLIC)
    for coat in ("::ffff:0:0", "64:ff9b::", "::"):
        coated = ipaddress.IPv6Address(int(ipaddress.IPv6Address(coat)) | int(inner))
        if bare is not None:
            assert objection(coated, scheme="https", port=443, policy=PUBLIC) is not None
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) | (int(inner) << 80))
    assert objection(six_to_four, scheme="https", port=443, policy=PUBLIC) is not None


def test_an_allowed_network_is_reached_over_http_on_any_port() -> None:
    policy = Policy(networks=networks("127.0.0.0/8, fd00::/8"))
    for text in ("127.0.0.1", "::ffff:127.0.0.1", "fd00::1"):
        assert objection(ipaddress.ip_address(text), scheme="http", port=9093, policy=policy) is None
    assert objection(ipaddress.ip_address("10.0.0.1"), scheme="http", port=9093, policy=policy) is not None


def test_one_address_that_may_not_be_reached_spoils_the_name() -> None:
    assert permitted(["1.1.1.1", "8.8.8.8"], scheme="https", port=443, policy=PUBLIC) == "1.1.1.1"
    with pytest.raises(Refused, match=r"127\.0\.0\.1 is not public"):
        permitted(["1.1.1.1", "127.0.0.1"], scheme="https", port=443, policy=PUBLIC)


async def ask(url: str, policy: Policy) -> httpx.Response:
    async with httpx.AsyncClient(transport=PinnedTransport(policy), trust_env=False) as client:
        return await client.post(url, content=b'{"status": "firing", "alerts": [], "commonLabels": {}}')


LOOPBACK = Policy(networks=networks("127.0.0.0/8"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
def test_every_way_to_write_loopback_is_refused_unless_it_is_allowed(host: str) -> None:
    with Sink() as sink:
        url = sink.url.replace("127.0.0.1", host)
        with pytest.raises(Refused, match="allow"):
            asyncio.run(ask(url, PUBLIC))
        assert sink.received == []


def test_the_connection_goes_to_the_checked_address_and_the_host_stays_that_of_the_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that is asked again would answer with another address: it is not asked again."""
    asked: list[str] = []

    async def once(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(address, "resolve", once)
    with Sink() as sink:
        port = httpx.URL(sink.url).port
        response = asyncio.run(ask(f"http://receiver.invalid:{port}/path", LOOPBACK))
        assert response.status_code == 200
        assert asked == ["receiver.invalid"]
        assert sink.received[0].headers["host"] == f"receiver.invalid:{port}"
        assert sink.received[0].path == "/path"


def test_the_name_in_tls_is_that_of_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is handed to the connection: the pinned address to connect to, the URL's host to ask and check for."""
    asked: list[httpx.Request] = []

    async def somewhere(_: str, __: int) -> list[str]:
        return ["2606:4700::1111"]

    def keep(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    monkeypatch.setattr(address, "resolve", somewhere)
    transport = PinnedTransport(PUBLIC)
    transport._inner = httpx.MockTransport(keep)  # pyright: ignore[reportAttributeAccessIssue] - stands for the network

    async def go() -> None:
        async with httpx.AsyncClient(transport=transport) as client:
            await client.post("https://höoks.example/path")

    asyncio.run(go())
    (request,) = asked
    assert str(request.url) == "https://[2606:4700::1111]/path"
    assert request.extensions["sni_hostname"] == "xn--hoks-5qa.example"
    assert request.headers["host"] == "xn--hoks-5qa.example"


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sink() as proxy, Sink() as sink:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert asyncio.run(ask(sink.url, LOOPBACK)).status_code == 200
        assert proxy.received == []
        assert len(sink.received) == 1


def test_a_name_that_does_not_resolve_is_a_connection_that_failed() -> None:
    with pytest.raises(httpx.ConnectError, match="does not resolve"):
        asyncio.run(ask("http://receiver.invalid/", LOOPBACK))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:password@hooks.example/T0/secret?token=1", "https://hooks.example"),
        ("http://[::1]:9093/x", "http://[::1]:9093"),
    ],
)
def test_only_the_origin_of_a_url_is_shown(url: str, shown: str) -> None:
    assert origin(address.check_url(url)) == shown


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example/secret",
        "ftp://hooks.example/secret",
        "https:///secret",
        "https://0177.0.0.1/secret",
        "https://hooks.example:secret/",
        "",
    ],
)
def test_what_is_no_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="webhook") as refused:
        address.check_url(url)
    assert "secret" not in str(refused.value)


def test_what_is_no_network_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"allow: '10\.0\.0\.1/8'|allow: 10\.0\.0\.1/8 has host bits set"):
        networks("10.0.0.1/8")
