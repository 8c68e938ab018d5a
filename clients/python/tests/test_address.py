"""Which servers an address names."""

from __future__ import annotations

import pytest

from polarway import InvalidInput
from polarway._address import Address, addresses, token


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("localhost", None, Address("localhost", 50052, False)),
        ("localhost", 7, Address("localhost", 7, False)),
        ("tables.example:7", None, Address("tables.example", 7, False)),
        ("tables.example:7", 7, Address("tables.example", 7, False)),
        ("my_tables", None, Address("my_tables", 50052, False)),
        ("10.0.0.1", None, Address("10.0.0.1", 50052, False)),
        ("::1", None, Address("::1", 50052, False)),
        ("::1", 7, Address("::1", 7, False)),
        ("[::1]", None, Address("::1", 50052, False)),
        ("[::1]:7", None, Address("::1", 7, False)),
        ("fe80::1%eth0", None, Address("fe80::1%eth0", 50052, False)),
        ("http://localhost:50052", None, Address("localhost", 50052, False)),
        ("http://localhost:50052/", None, Address("localhost", 50052, False)),
        ("http://tables.example", None, Address("tables.example", 80, False)),
        ("https://tables.example", None, Address("tables.example", 443, True)),
        ("https://tables.example", 7, Address("tables.example", 7, True)),
        ("HTTPS://tables.example:8443", None, Address("tables.example", 8443, True)),
        ("http://[::1]:7", None, Address("::1", 7, False)),
    ],
)
def test_an_address_is_a_host_or_a_url(host: str, port: int | None, expected: Address) -> None:
    assert addresses(host, port, False) == (expected,)


def test_a_host_without_a_scheme_uses_tls_if_there_are_credentials() -> None:
    assert addresses("localhost", None, True) == (Address("localhost", 50052, True),)


def test_several_addresses_are_several_workers() -> None:
    found = addresses(["http://one:1", "two"], None, False)
    assert found == (Address("one", 1, False), Address("two", 50052, False))


@pytest.mark.parametrize(
    "host",
    [
        "",
        "http://",
        "https://",
        "not a host",
        "ftp://here",
        "a:b",
        "a:",
        "a:70000",
        "a:0",
        ":7",
        "[::1",
        "[::1]7",
        "1::2::3",
        "http://a:b",
        "http://a:70000",
        "http://user@a",
        "http://a/path",
        "http://a?q",
        "http://a#f",
        "a/b",
        "a\n",
        "a\0",
    ],
)
def test_an_address_that_is_none_is_refused_by_name(host: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        addresses(["localhost", host], None, False)
    assert repr(host) in str(caught.value)
    assert "http://localhost:50052" in str(caught.value)


@pytest.mark.parametrize("port", [0, -1, 65536, "7", 7.0])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(InvalidInput, match="is no port"):
        addresses("localhost", port, False)


def test_two_ports_for_one_address_are_refused() -> None:
    with pytest.raises(InvalidInput, match="the port 1, and the port 2"):
        addresses("http://localhost:1", 2, False)


def test_an_empty_list_names_no_server() -> None:
    with pytest.raises(InvalidInput, match="no server was named"):
        addresses([], None, False)


def test_credentials_without_an_address_that_uses_them_are_refused() -> None:
    with pytest.raises(InvalidInput, match="nothing would be encrypted"):
        addresses("http://localhost:1", None, True)


def test_the_environment_names_the_servers_if_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert addresses(None, None, False) == (Address("localhost", 50052, False),)
    monkeypatch.setenv("POLARWAY_URL", "http://one:1,https://two:2")
    assert addresses(None, None, False) == (Address("one", 1, False), Address("two", 2, True))
    assert addresses("three", None, False) == (Address("three", 50052, False),)


def test_the_token_is_the_one_given_or_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert token(None) is None
    monkeypatch.setenv("POLARWAY_AUTH_TOKEN", "from outside")
    assert token(None) == "from outside"
    assert token("given") == "given"


@pytest.mark.parametrize("secret", ["", "se\ncret", "secrét", "\x7fsecret"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_told(secret: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        token(secret)
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_this_machine"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("10.0.0.1", False), ("tables.example", False)],
)
def test_it_is_known_which_addresses_are_this_machine(host: str, is_this_machine: bool) -> None:
    assert addresses(host, None, False)[0].is_this_machine is is_this_machine
