"""Which addresses a webhook may have: public ones only, whatever a name says they are."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from core.settings import Settings

URL_MAX = 2000
#: Services listen elsewhere; what lies there was not made to be spoken to by strangers.
PORTS = {"https": (443, 8443), "http": (80, 8080)}
#: Longest wait for a name's addresses. Seconds.
RESOLVE_TIMEOUT_S = 5.0

#: Public by their number, and yet not: protocol assignments (RFC 6890), of which Python knows
#: some only, relays that lead to IPv4 of any sort (RFC 7526), and Azure's service for its machines.
_REFUSED_4 = tuple(
    IPv4Network(each) for each in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")
)
#: All that is routed (RFC 4291 section 2.4). NAT64, mapped, compatible, unique local, link
#: local, site local and multicast addresses lie outside.
_ROUTED_6 = IPv6Network("2000::/3")
#: Protocol assignments with Teredo (RFC 2928), documentation (RFC 3849, 9637), and 6to4
#: (RFC 3056): the last carries an IPv4 address, of any sort.
_REFUSED_6 = tuple(
    IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16")
)

#: Numeric addresses of a host name, as text.
Resolver = Callable[[str, int], Sequence[str]]


class UnsafeAddress(Exception):
    """We do not connect there. The text says why, in words for the owner of the endpoint."""


class Unresolvable(Exception):
    """The host's name leads nowhere, at least now."""


@dataclass(frozen=True)
class Rules:
    """What this installation allows beyond https to public addresses."""

    http: bool = False
    loopback: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        return cls(settings.webhooks_allow_http, settings.webhooks_allow_loopback)


@dataclass(frozen=True)
class Target:
    """Where a URL leads, before any name is looked up."""

    scheme: str
    host: str
    port: int


def read_url(url: str) -> Target:
    """The parts of a URL that has the form of a webhook's; `check_target` says if we go there.

    Raises:
        UnsafeAddress: it has no such form.
    """
    if len(url) > URL_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise UnsafeAddress(f"must be a URL of at most {URL_MAX} ASCII characters")
    if "\\" in url:
        # readers of URLs disagree on what it means
        raise UnsafeAddress("must not contain a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UnsafeAddress("is not a URL") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise UnsafeAddress("must begin with https:// and name a host")
    if "@" in parts.netloc:
        raise UnsafeAddress("must not contain a user name or password")
    if "#" in url:
        raise UnsafeAddress("must not have a fragment")
    if "%" in parts.netloc or port == 0:
        raise UnsafeAddress("names no host that can be reached")
    return Target(parts.scheme, parts.hostname, port or PORTS[parts.scheme][0])


def check_target(target: Target, rules: Rules) -> None:
    """Refuse schemes and ports that are not allowed here.

    Raises:
        UnsafeAddress
    """
    if rules.loopback:
        return  # the addresses are checked all the same
    if target.scheme == "http" and not rules.http:
        raise UnsafeAddress("must begin with https://")
    if target.port not in PORTS[target.scheme]:
        allowed = " or ".join(str(port) for port in PORTS[target.scheme])
        raise UnsafeAddress(f"must use port {allowed}")


def is_public(address: str) -> bool:
    """Whether a numeric address is one that anybody on the Internet can reach."""
    try:
        number = ip_address(address)
    except ValueError:
        return False
    if not number.is_global or number.is_multicast or number.is_reserved:
        return False
    if isinstance(number, IPv4Address):
        return not any(number in network for network in _REFUSED_4)
    return _is_public_6(number)


def _is_public_6(number: IPv6Address) -> bool:
    if number.scope_id is not None or number not in _ROUTED_6:
        return False
    return not any(number in network for network in _REFUSED_6)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def check_addresses(target: Target, addresses: Sequence[str], rules: Rules) -> Sequence[str]:
    """All addresses of a host, if every single one is safe: a name with one bad one is bait.

    Raises:
        UnsafeAddress, Unresolvable.
    """
    if not addresses:
        raise Unresolvable(f"{target.host} has no address")
    for address in addresses:
        if rules.loopback and _is_loopback(address):
            continue
        if not is_public(address):
            raise UnsafeAddress("leads to an address that is not public")
        if rules.loopback:
            check_target(target, Rules(http=rules.http))
    return addresses


def system_resolver(host: str, port: int) -> Sequence[str]:
    """Ask the system; also for numbers in any of the forms that it would connect to."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def resolve(
    host: str, port: int, resolver: Resolver = system_resolver, within_s: float = RESOLVE_TIMEOUT_S
) -> Sequence[str]:
    """Addresses of a host; the system's resolver knows no time limit, so a thread waits for it.

    Raises:
        Unresolvable
    """
    found: list[Sequence[str]] = []

    def ask() -> None:
        try:
            found.append(resolver(host, port))
        except (OSError, UnicodeError):
            found.append(())

    thread = threading.Thread(target=ask, name="resolver", daemon=True)
    thread.start()
    thread.join(within_s)
    if not found:
        raise Unresolvable(f"{host} could not be looked up within {within_s:.0f} s")
    if not found[0]:
        raise Unresolvable(f"{host} could not be looked up")
    return found[0]
