"""Where a webhook may go: what an address resolves to is checked, and the connection goes to what was checked.

A receiver's URL must not become a way into the network that the alerts run in. Public addresses are reached by https
on the allowed ports; anything else only through an allow-list of networks, which sites with receivers of their own set.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Final

import httpx

from gigawatch_contract.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

Ip = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNICAST: Final = IPv6Network("2000::/3")
"""All that is assigned for global unicast; what lies outside is special in one way or another."""
_SPECIAL: Final[dict[str, Network]] = {
    "6to4 (carries an IPv4 address)": IPv6Network("2002::/16"),
    "for protocols (Teredo, ORCHID)": IPv6Network("2001::/23"),
    "for documentation": IPv6Network("3fff::/20"),
    "a 6to4 relay": IPv4Network("192.88.99.0/24"),
    "for protocols": IPv4Network("192.0.0.0/24"),
}


class Refused(Exception):  # noqa: N818 - reads as what it says
    """The address is not one that alerts may be sent to. The message names the address, never the URL's path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the operator allows."""

    networks: tuple[Network, ...] = ()
    """Reached over http or https, on any port, although not public."""
    ports: frozenset[int] = frozenset({443})


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a list such as `127.0.0.0/8, fd00::/8`.

    Raises:
        ConfigurationError: names the one that is none.
    """
    found: list[Network] = []
    for word in text.replace(",", " ").split():
        try:
            found.append(ipaddress.ip_network(word))
        except ValueError as error:
            raise ConfigurationError(f"allow: {error}") from error
    return tuple(found)


def objection(address: Ip, *, scheme: str, port: int, policy: Policy) -> str | None:
    """Why a webhook must not go to this address, or None."""
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
    if any(inner in network for network in policy.networks if network.version == inner.version):
        return None
    reason = _special(inner)
    if reason:
        return f"{address} is {reason}; if it is meant, add its network to allow"
    if scheme != "https":
        return f"{address} is public: use https"
    if port not in policy.ports:
        return f"port {port} is not in allow_ports"
    return None


def _special(address: Ip) -> str | None:
    for reason, network in _SPECIAL.items():
        if network.version == address.version and address in network:
            return reason
    if address.is_multicast:
        return "multicast"
    if isinstance(address, IPv6Address) and address not in _UNICAST:
        return "no global unicast address"
    return None if address.is_global else "not public"


def permitted(addresses: Sequence[str], *, scheme: str, port: int, policy: Policy) -> str:
    """The address to connect to, of those that a name has: the first, if all of them may be reached.

    Raises:
        Refused: one of them may not.
    """
    for text in addresses:
        found = objection(ipaddress.ip_address(text), scheme=scheme, port=port, policy=policy)
        if found:
            raise Refused(found)
    return addresses[0]


def check_url(url: str) -> httpx.URL:
    """The URL of a receiver, read.

    Raises:
        ConfigurationError: it cannot be one. The message does not repeat it: its path may be a secret.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError("webhook: is not a URL") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigurationError("webhook: must be a URL that begins with https:// (or http://) and names a host")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise ConfigurationError("webhook: its port must be from 1 to 65535")
    return parsed


def origin(url: httpx.URL) -> str:
    """The part of a URL that may be shown: scheme, host and port."""
    port = f":{url.port}" if url.port else ""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{port}"


class PinnedTransport(httpx.AsyncBaseTransport):
    """Resolves once, checks every address, connects to one that was checked; follows no redirect, asks no proxy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._inner = httpx.AsyncHTTPTransport(trust_env=False, retries=0)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the pinned address; Host header and TLS name stay those of the URL.

        Raises:
            Refused: the policy forbids an address of the host.
            httpx.ConnectError: the host has none.
        """
        url = request.url
        request.extensions = {**request.extensions, "sni_hostname": url.raw_host.decode("ascii")}
        request.url = url.copy_with(host=await pin(url, self._policy))
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


async def pin(url: httpx.URL, policy: Policy) -> str:
    """The address that a request to this URL goes to.

    Raises:
        Refused: the policy forbids an address of the host.
        httpx.ConnectError: the host has none.
    """
    port = url.port or (443 if url.scheme == "https" else 80)
    found = await resolve(url.raw_host.decode("ascii"), port)
    return permitted(found, scheme=url.scheme, port=port, policy=policy)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the system's order; `localhost` is always this machine (RFC 6761, 6.3).

    Raises:
        httpx.ConnectError: it has none, or the name service does not answer.
    """
    if host.rstrip(".").lower().rpartition(".")[2] == "localhost":
        return ["127.0.0.1", "::1"]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpx.ConnectError("the host's name does not resolve") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
