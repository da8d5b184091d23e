"""Which addresses are refused, in every disguise that we know of."""

from __future__ import annotations

import time

import pytest

from services.webhooks.addresses import (
    Rules,
    Target,
    Unresolvable,
    UnsafeAddress,
    check_addresses,
    check_target,
    is_public,
    read_url,
    resolve,
)

HOST = Target("https", "example.com", 443)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.8.8.8"),
        *("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),  # metadata
        *("198.18.0.1", "192.0.2.1", "192.88.99.1", "224.0.1.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1"),
        *("ff02::1", "ff0e::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1"),
        # IPv4 inside of IPv6: mapped, compatible, NAT64 twice, 6to4, Teredo
        *("::ffff:10.0.0.1", "::ffff:8.8.8.8", "::10.0.0.1", "64:ff9b::a00:1"),
        *("64:ff9b:1::a00:1", "2002:a00:1::1", "2002:808:808::1", "2001:0:808:808::1"),
        *("", "example.com", "8.8.8.8/8"),
    ],
)
def test_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450::1"])
def test_is_public(address: str) -> None:
    assert is_public(address)


class TestAUrl:
    @pytest.mark.parametrize(
        "url",
        [
            *(
                "example.com",
                "ftp://example.com",
                "file:///etc/passwd",
                "//example.com",
                "https://",
            ),
            *("https://me@example.com", "https://me:pw@example.com", "https://@example.com"),
            *("https://example.com\\@10.0.0.1", "https://exa mple.com", "https://exa\tmple.com"),
            *("https://example.com/\nx", "https://exämple.com", "https://example.com#x"),
            *("https://example.com:0", "https://example.com:99999", "https://example.com:x"),
            *("https://[::1", "https://[fe80::1%25eth0]/", "https://%31%30.0.0.1/"),
            "https://example.com/" + "x" * 2000,
        ],
    )
    def test_without_the_form_is_refused(self, url: str) -> None:
        with pytest.raises(UnsafeAddress):
            read_url(url)

    def test_has_its_parts(self) -> None:
        assert read_url("https://Example.com/a?b=c") == Target("https", "example.com", 443)
        assert read_url("http://[2606:4700::1]:8080") == Target("http", "2606:4700::1", 8080)

    @pytest.mark.parametrize(
        ("url", "rules", "fine"),
        [
            ("https://example.com", Rules(), True),
            ("https://example.com:8443", Rules(), True),
            ("https://example.com:6379", Rules(), False),
            ("https://example.com:80", Rules(), False),
            ("http://example.com", Rules(), False),
            ("http://example.com", Rules(http=True), True),
            ("http://example.com:8080", Rules(http=True), True),
            ("http://example.com:25", Rules(http=True), False),
            ("http://127.0.0.1:5000", Rules(loopback=True), True),
        ],
    )
    def test_has_an_allowed_scheme_and_port(self, url: str, rules: Rules, fine: bool) -> None:
        if fine:
            check_target(read_url(url), rules)
        else:
            with pytest.raises(UnsafeAddress):
                check_target(read_url(url), rules)


class TestAHost:
    @pytest.mark.parametrize(
        "name",
        ["localhost", "127.1", "0x7f.1", "2130706433", "017700000001", "0", "[::ffff:7f00:1]"],
    )
    def test_that_is_this_machine_in_disguise_is_refused(self, name: str) -> None:
        target = read_url(f"https://{name}/")
        with pytest.raises(UnsafeAddress):
            check_addresses(target, resolve(target.host, target.port), Rules())

    def test_with_one_bad_address_is_bait(self) -> None:
        with pytest.raises(UnsafeAddress):
            check_addresses(HOST, ["8.8.8.8", "10.0.0.1"], Rules())
        assert check_addresses(HOST, ["8.8.8.8", "2606:4700::1111"], Rules())

    def test_of_loopback_is_all_that_tests_allow(self) -> None:
        assert check_addresses(HOST, ["127.0.0.1"], Rules(loopback=True))
        with pytest.raises(UnsafeAddress):
            check_addresses(HOST, ["10.0.0.1"], Rules(loopback=True))
        with pytest.raises(UnsafeAddress):  # and elsewhere the rules stay what they are
            check_addresses(Target("http", "example.com", 80), ["8.8.8.8"], Rules(loopback=True))

    def test_that_leads_nowhere_or_not_in_time_is_said_to(self) -> None:
        with pytest.raises(Unresolvable):
            resolve("example.com", 443, lambda *_: [])

        def fails(*_: object) -> list[str]:
            raise OSError

        with pytest.raises(Unresolvable):
            resolve("example.com", 443, fails)
        began = time.monotonic()
        with pytest.raises(Unresolvable, match="within"):
            resolve("example.com", 443, lambda *_: time.sleep(1) or [], within_s=0.05)  # type: ignore[func-returns-value]
        assert time.monotonic() - began < 0.8
