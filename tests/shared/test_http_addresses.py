"""Which addresses may be reached: every form of a private one is refused, every public one is not."""

import ipaddress

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import http
from shared.egress import AllowedRange, EgressPolicy, is_public
from shared.errors import AddressRefusedError, FederationError, InvalidRequestError
from shared.settings import FederationSettings

CLOSED = EgressPolicy(own=frozenset(), allowed=(), loopback=False)
PRIVATE_V4 = (
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.2.0/24 192.168.0.0/16 "
    "198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32 "
    "192.88.99.0/24"
)
SPECIAL_V6 = "[::] [::1] [fe80::1] [fe80::1%25eth0] [fc00::1] [fd00:ec2::254] [fec0::1] [ff02::1] [2001:db8::1]"
private_networks = st.sampled_from([ipaddress.IPv4Network(text) for text in PRIVATE_V4.split(" ")])
private_v4 = private_networks.flatmap(lambda network: st.ip_addresses(network=network)).map(int)
public_v4 = st.ip_addresses(v=4).map(int).filter(lambda number: is_public(ipaddress.IPv4Address(number)))


def is_refused(url: str) -> bool:
    try:
        CLOSED.check(http.parse_url(url))
    except (AddressRefusedError, InvalidRequestError):
        return True
    return False


@settings(deadline=None)
@given(private_v4)
def test_a_private_address_is_refused_in_every_spelling(number: int) -> None:
    a, b, c, d = number.to_bytes(4)
    dotted = str(ipaddress.IPv4Address(number))
    low = number & 0xFFFFFF
    for host in (
        dotted,
        f"{dotted}.",
        str(number),
        hex(number),
        f"{a}.{low}",
        f"{a}.{b}.{c * 256 + d}",
        f"{a:#o}.{b:#o}.{c:#o}.{d:#o}".replace("0o", "0"),
        f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        f"0{a:o}.{b}.{c}.{d}",
        f"[::ffff:{dotted}]",
        f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]",
        f"[::{dotted}]",
        f"[64:ff9b::{dotted}]",
        f"[64:ff9b:1::{dotted}]",
        f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
        f"[2001:0:{number >> 16:x}:{number & 0xFFFF:x}::1]",
        f"[2606:4700::5efe:{dotted}]",
        f"[2606:4700::200:5efe:{dotted}]",
    ):
        assert is_refused(f"http://{host}/"), host
        assert is_refused(f"https://{host}:8443/"), host


@settings(deadline=None)
@given(public_v4)
def test_a_public_address_is_reached_as_four_decimal_numbers_only(number: int) -> None:
    dotted = str(ipaddress.IPv4Address(number))
    assert not is_refused(f"http://{dotted}/")
    assert not is_refused(f"http://[::ffff:{dotted}]/")
    assert not is_refused(f"http://[64:ff9b::{dotted}]/")
    assert is_refused(f"http://{number}/")
    assert is_refused(f"http://{hex(number)}/")


def test_of_the_addresses_of_a_name_only_public_ones_are_connected_to() -> None:
    inside, outside = ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("93.184.216.34")
    assert CLOSED.check_addresses("mixed.test", [inside, outside], 443) == [outside]


@pytest.mark.parametrize("host", SPECIAL_V6.split())
def test_a_special_ipv6_address_is_refused(host: str) -> None:
    assert is_refused(f"http://{host}/")


def test_a_public_ipv6_address_is_reached() -> None:
    assert not is_refused("https://[2606:4700:4700::1111]/")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "http:///x",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://127.0.0.1\\@example.com/",
        "http://example.com%2f@127.0.0.1/",
        "http://%31%32%37.0.0.1/",
        "http://127。0。0。1/",
        "http://1.2.3.4.5/",
        "http://0x7f.1/",
        "http://a b/",
        "http://a..b/",
        f"http://{'a' * 300}.test/",
        "http://93.184.216.34:22/",
        "http://93.184.216.34:6000/",
        "http://93.184.216.34:0/",
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    assert is_refused(url)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_either_checked_or_refused_with_a_sentence(text: str) -> None:
    for url in (text, f"http://{text}", f"http://{text}:80/"):
        try:
            CLOSED.check(http.parse_url(url))
        except FederationError as error:
            assert error.detail.endswith(".")  # noqa: PT017 - no other error may come


@settings(deadline=None)
@given(st.ip_addresses(), st.integers(1, 65535))
def test_an_entry_for_one_address_and_port_lets_just_that_in(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    host = str(address) if address.version == 4 else f"[{address}]"
    entry = AllowedRange.parse(f"{host}:{port}")
    assert entry.contains(address, port)
    assert not entry.contains(address, port + 1)
    assert AllowedRange.parse(str(address)).contains(address, port)


def test_an_entry_may_be_a_network_with_a_range_of_ports() -> None:
    entry = AllowedRange.parse("[fd00::/8]:8000-8002")
    assert entry.contains(ipaddress.ip_address("fd12::1"), 8001)
    assert not entry.contains(ipaddress.ip_address("fd12::1"), 8003)
    assert not entry.contains(ipaddress.ip_address("10.0.0.1"), 8001)


def test_allowing_private_addresses_never_allows_metadata_services() -> None:
    for values in ({}, {"federation_allow_private_agents": True}):
        policy = EgressPolicy.from_settings(FederationSettings.model_validate(values))
        with pytest.raises(AddressRefusedError, match="private or special address"):
            policy.check(httpx.URL("http://169.254.169.254/"))
