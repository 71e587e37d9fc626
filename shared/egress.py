"""Which addresses outgoing calls may reach: public ones, the federation's own services, and what the settings list."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self, TypeAlias, get_args

import httpx

from shared.errors import AddressRefusedError, InvalidSettingError
from shared.settings import FederationSettings, ServiceName

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ENTRY = re.compile(
    r"(?:\[(?P<six>[^\]]+)\]|(?P<four>[^:\[\]]+)|(?P<bare>[^\[\]]+))"
    r"(?::(?P<low>\d{1,5})(?:-(?P<high>\d{1,5}))?)?"
)

# Ports that browsers never speak HTTP to, as far as they are above 1023.
# Source: https://fetch.spec.whatwg.org/#port-blocking
_BLOCKED_PORTS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
)

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ISATAP_INTERFACES = frozenset({0x00005EFE, 0x02005EFE})
# Addresses that count as public and yet lead inside: Azure's host agent, the 6to4 relays.
_SPECIAL: tuple[Network, ...] = (ipaddress.IPv4Network("168.63.129.16/32"), ipaddress.IPv4Network("192.88.99.0/24"))


@dataclass(frozen=True, slots=True)
class AllowedRange:
    """An entry of EGRESS_ALLOW: these addresses on these ports."""

    network: Network
    low_port: int = 0
    high_port: int = 65535

    @classmethod
    def parse(cls, entry: str) -> Self:
        """Read `ADDRESS-or-CIDR[:PORT[-PORT]]`; an IPv6 address with a port stands in brackets."""
        match = _ENTRY.fullmatch(entry.strip())
        try:
            if match is None:
                raise ValueError("not of that form")
            network = ipaddress.ip_network(match["six"] or match["four"] or match["bare"])
            low = int(match["low"]) if match["low"] else 0
            high = int(match["high"] or low) if match["low"] else 65535
            if not 0 <= low <= high <= 65535:
                raise ValueError(f"{low}-{high} is not a range of ports")
        except ValueError as error:
            raise InvalidSettingError(
                f"EGRESS_ALLOW has the entry {entry!r}, which cannot be used ({error}). "
                "Write ADDRESS or CIDR, then optionally :PORT or :PORT-PORT, "
                "e.g. 127.0.0.1:9900-9999,10.0.0.0/8:443,[fd00::/8]:443."
            ) from error
        return cls(network, low, high)

    def contains(self, address: Address, port: int) -> bool:
        """Say whether a connection to `address` at `port` is within this entry."""
        if address.version != self.network.version:
            return False
        return self.low_port <= port <= self.high_port and address in self.network


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What outgoing calls may reach. `own` has the host and port of each service of this federation."""

    own: frozenset[tuple[str, int]]
    allowed: tuple[AllowedRange, ...]
    loopback: bool

    @classmethod
    def from_settings(cls, settings: FederationSettings) -> Self:
        """Derive the policy. Raises: InvalidSettingError for an entry of EGRESS_ALLOW or an address that is not one."""
        own: set[tuple[str, int]] = set()
        for service in get_args(ServiceName):
            url = _parse(settings.url_of(service), service)
            own.add((url.host.lower(), url.port or _DEFAULT_PORTS.get(url.scheme, 0)))
            own.add((settings.federation_host, settings.port_of(service)))
        if settings.federation_host in {"0.0.0.0", "::"}:  # noqa: S104  (bound everywhere, so reachable on loopback)
            own |= {(host, port) for _, port in tuple(own) for host in ("127.0.0.1", "::1")}
        allowed = tuple(AllowedRange.parse(entry) for entry in settings.egress_allow)
        chosen = settings.federation_allow_private_agents
        loopback = not allowed and (chosen if chosen is not None else _is_loopback_name(settings.federation_host))
        return cls(own=frozenset(own), allowed=allowed, loopback=loopback)

    def check(self, url: httpx.URL) -> tuple[str, int] | None:
        """Check what can be without resolving names: scheme, form, and host and port if the host is an address.

        Returns the name and port whose addresses remain to be checked. Raises: AddressRefusedError.
        """
        host, port = _host_and_port(url)
        address = _literal(host)
        if address is None:
            return host, port
        self.check_addresses(host, [address], port)
        return None

    def check_addresses(self, host: str, addresses: list[Address], port: int) -> list[Address]:
        """Return those of `addresses`, to which `host` was resolved, that may be connected to.

        Raises: AddressRefusedError when none may.
        """
        if (host.lower(), port) in self.own:
            return addresses
        good = [address for address in addresses if self._allows(unmapped(address), port)]
        if not good:
            raise _refuse(host, port, addresses)
        return good

    def _allows(self, address: Address, port: int) -> bool:
        if (str(address), port) in self.own or any(entry.contains(address, port) for entry in self.allowed):
            return True
        if not _is_web_port(port):
            return False
        return is_public(address) or (self.loopback and address.is_loopback)


def is_public(address: Address) -> bool:
    """Say whether `address` belongs to the open internet, and so does every IPv4 address written into it.

    An IPv4-mapped address is none of IPv6's own; ask about the IPv4 address that it is.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return (
            address.is_global
            and not (address.is_multicast or address.is_reserved or address.is_unspecified)
            and not any(address in network for network in _SPECIAL)
        )
    if address in _NAT64:
        return is_public(_last_32_bits(address))
    if address not in _GLOBAL_UNICAST or not address.is_global:
        return False
    if address.sixtofour is not None:
        return is_public(address.sixtofour)
    isatap = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP_INTERFACES
    return not isatap or is_public(_last_32_bits(address))


def unmapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv4-mapped one is; any other as it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped if mapped is not None else address


def _parse(url: str, service: ServiceName) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InvalidSettingError(
            f"The {service} service's address {url!r} cannot be used ({error}). Correct FEDERATION_HOST or "
            "the service's own setting, e.g. ORCHESTRATOR_URL=http://127.0.0.1:8000."
        ) from error


def _host_and_port(url: httpx.URL) -> tuple[str, int]:
    default_port = _DEFAULT_PORTS.get(url.scheme)
    if default_port is None:
        scheme = url.scheme[:20] or "one without a scheme"
        raise AddressRefusedError(f"Only http and https addresses can be used, not {scheme}.")
    if url.userinfo:
        raise AddressRefusedError("An address may not carry a user name or password; leave out what is before the @.")
    host = url.raw_host.decode("ascii").lower()
    if not host:
        raise AddressRefusedError("The address has no host.")
    return host, default_port if url.port is None else url.port


def _literal(host: str) -> Address | None:
    """Return the address that `host` spells, or None for a name; refuse what resolvers may read as either."""
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError as error:
            raise AddressRefusedError(f"{host[:80]!r} is not an IPv6 address.") from error
        if address.scope_id is not None:
            raise AddressRefusedError("An address with a zone (%) cannot be used.")
        return address
    if _NUMBER_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2]):
        try:
            return ipaddress.IPv4Address(host)
        except ValueError as error:
            raise AddressRefusedError(f"{host[:80]!r} is not an IPv4 address of four decimal numbers.") from error
    if len(host) > 253 or not _HOST_NAME.fullmatch(host):
        raise AddressRefusedError(f"{host[:80]!r} is not a host name.")
    return None


def _last_32_bits(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _is_web_port(port: int) -> bool:
    return port in {80, 443} or (1024 <= port <= 65535 and port not in _BLOCKED_PORTS)


def _is_loopback_name(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _refuse(host: str, port: int, addresses: list[Address]) -> AddressRefusedError:
    """Say why, but not which private address a name has."""
    if not _is_web_port(port) and any(is_public(address) or address.is_loopback for address in addresses):
        reason = f"port {port} is not one for HTTP"
    else:
        reason = "that is a private or special address" if _literal(host) else "its address is a private or special one"
    return AddressRefusedError(
        f"Outgoing calls may not reach {host[:253]} at port {port}: {reason}. If they should, list it in EGRESS_ALLOW."
    )
