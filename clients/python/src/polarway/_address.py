"""Where the servers are: from a host and a port, URLs, or the environment."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import urllib.parse
from collections.abc import Iterable
from typing import Final

from polarway.errors import InvalidInput

URL_VARIABLE: Final = "POLARWAY_URL"
"""The servers if none is named: URLs with commas between them."""

TOKEN_VARIABLE: Final = "POLARWAY_AUTH_TOKEN"
"""The token if none is given."""

DEFAULT_PORT: Final = 50052
"""The port of a host that is named without one."""

_DEFAULT_URL: Final = f"http://localhost:{DEFAULT_PORT}"
_PORTS: Final = {"http": 80, "https": 443}


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """A server's host and port, and whether connections to it use TLS."""

    host: str
    port: int
    is_secure: bool

    def __str__(self) -> str:
        """Host and port, as gRPC takes them and as messages show them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_this_machine(self) -> bool:
        """Whether a packet to this address stays on this machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def addresses(host: str | Iterable[str] | None, port: int | None, is_secure: bool) -> tuple[Address, ...]:
    """The servers that a user names.

    Args:
        host: A host, a URL, several of either, or nothing: then those of `POLARWAY_URL`, or this machine.
        port: The port of hosts and URLs that have none.
        is_secure: Whether there are credentials, so that a host without `http://` or `https://` uses TLS.

    Raises:
        InvalidInput: One of them is no address, or none is named.
    """
    if host is None:
        named: Iterable[str] = os.environ.get(URL_VARIABLE, _DEFAULT_URL).split(",")
    else:
        named = (host,) if isinstance(host, str) else host
    found = tuple(_address(text, port, is_secure) for text in named)
    if not found:
        raise InvalidInput(f"no server was named: give a host, or a URL such as {_DEFAULT_URL}")
    if is_secure and not any(address.is_secure for address in found):
        raise InvalidInput("credentials are given, and no URL begins with https://: nothing would be encrypted")
    return found


def token(given: str | None) -> str | None:
    """The token to send, from the argument or the environment.

    Raises:
        InvalidInput: It has characters that no header can hold. The message does not have the token.
    """
    found = os.environ.get(TOKEN_VARIABLE) if given is None else given
    if found is not None and not (found and all(" " <= character <= "~" for character in found)):
        raise InvalidInput("the token is empty, or has characters that no HTTP header can hold")
    return found


def _address(text: str, port: int | None, is_secure: bool) -> Address:
    if not isinstance(text, str):
        raise InvalidInput(f"{text!r} is no text: give a host, or a URL such as {_DEFAULT_URL}")
    if port is not None and not (isinstance(port, int) and 0 < port < 1 << 16):
        raise InvalidInput(f"{port!r} is no port: give a number from 1 to 65535")
    if "://" in text:
        return _of_url(text, port)
    host, own_port = _split(text)
    return Address(host, _port(text, own_port, port, DEFAULT_PORT), is_secure)


def _of_url(text: str, port: int | None) -> Address:
    try:
        url = urllib.parse.urlsplit(text)
        host, own_port = url.hostname, url.port
    except ValueError as error:
        raise _invalid(text, f"is no URL ({error})") from None
    if url.scheme not in _PORTS:
        raise _invalid(text, "does not start with http:// or https://")
    if not host:
        raise _invalid(text, "names no host")
    if url.username is not None or url.path not in ("", "/") or url.query or url.fragment:
        raise _invalid(text, "has more than a host and a port")
    return Address(_host(text, host), _port(text, own_port, port, _PORTS[url.scheme]), url.scheme == "https")


def _split(text: str) -> tuple[str, int | None]:
    """A host, and the port behind it if there is one. An address of IPv6 is in brackets if there is."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _invalid(text, "is no host")
        rest = rest[1:]
    elif text.count(":") == 1:
        host, _, rest = text.partition(":")
    else:
        host, rest = text, ""
    if not rest and not text.endswith(":"):
        return _host(text, host), None
    if not (rest.isascii() and rest.isdigit() and 0 < int(rest) < 1 << 16):
        raise _invalid(text, "has no port behind the colon")
    return _host(text, host), int(rest)


def _host(text: str, host: str) -> str:
    if not host:
        raise _invalid(text, "names no host")
    if ":" in host:
        try:
            # A zone, as in fe80::1%eth0, is part of an address.
            ipaddress.IPv6Address(host)
        except ValueError:
            raise _invalid(text, "is no host") from None
    elif not all(character.isalnum() or character in "-._" for character in host):
        raise _invalid(text, "is no host")
    return host


def _port(text: str, own: int | None, given: int | None, default: int) -> int:
    if own is not None and given is not None and own != given:
        raise InvalidInput(f"{text!r} has the port {own}, and the port {given} is given as well: leave one out")
    return own or given or default


def _invalid(text: str, what: str) -> InvalidInput:
    return InvalidInput(f"{text!r} {what}: give a host, or a URL such as {_DEFAULT_URL}")
