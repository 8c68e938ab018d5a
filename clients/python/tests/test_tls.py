"""TLS, client certificates and tokens, against real servers that were set up as the documents say."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import polars as pl
import pytest

import clients
import polarway
import server
from polarway import AsyncDistributedClient, DistributedClient

_TLS_PAGE = Path(__file__).parents[3] / "docs" / "tls.md"


def _openssl(folder: Path, script: str) -> None:
    subprocess.run(["sh", "-e", "-c", script], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates that the page about TLS makes, and some others."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not there")
    folder = tmp_path_factory.mktemp("certs")
    commands = re.search(r"```sh\n(# A CA\..*?)```", _TLS_PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert commands is not None
    _openssl(folder, commands[1])
    elsewhere = commands[1].replace("DNS:localhost,IP:127.0.0.1", "DNS:elsewhere.example")
    for name, script in ("stranger", commands[1]), ("elsewhere", elsewhere):
        (folder / name).mkdir()
        _openssl(folder / name, script)
    return folder


@pytest.fixture(scope="module")
def encrypted(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with TLS."""
    flags = ("--tls-cert", str(certs / "server.crt"), "--tls-key", str(certs / "server.key"))
    with server.running(tmp_path_factory.mktemp("tls"), *flags) as address:
        yield address


@pytest.fixture(scope="module")
def mutual(certs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that requires certificates of its clients, and a token."""
    files = {"--tls-cert": "server.crt", "--tls-key": "server.key", "--tls-ca": "ca.crt"}
    flags = [text for flag, file in files.items() for text in (flag, str(certs / file))]
    with server.running(tmp_path_factory.mktemp("mtls"), *flags, token="your-secret-token") as address:
        yield address


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _trusting(folder: Path) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(root_certificates=_read(folder / "ca.crt"))


def _identified(trusts: Path, is_: Path) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=_read(trusts / "ca.crt"),
        private_key=_read(is_ / "client.key"),
        certificate_chain=_read(is_ / "client.crt"),
    )


def _works(client: Any) -> None:
    frame = pl.DataFrame({"symbol": ["BTC", "ETH"], "price": [50_000, 3_000]})
    assert client.health_check() == "OK"
    client.store("trades", frame)
    assert client.load("trades").equals(frame)
    assert client.query("SELECT count(*) AS n FROM trades")["n"].to_list() == [2]


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


# TLS


def test_a_server_with_tls_is_used_by_url_or_by_credentials(kind: str, certs: Path, encrypted: str) -> None:
    port = _port(encrypted)
    for host in f"https://localhost:{port}", f"https://{encrypted}", f"localhost:{port}", encrypted:
        with clients.client(kind, host, credentials=_trusting(certs)) as client:
            _works(client)
    with clients.client(kind, "localhost", port, credentials=_trusting(certs)) as client:
        _works(client)


# What the promised document says about TLS and tokens in Python.
DOCUMENT_TLS = """
import grpc
credentials = grpc.ssl_channel_credentials(
root_certificates=open('/certs/ca.crt', 'rb').read(),
private_key=open('/certs/client.key', 'rb').read(),
certificate_chain=open('/certs/client.crt', 'rb').read()
)
client = DistributedClient(
host="polarway-server.example.com",
port=50052,
credentials=credentials
)
"""
DOCUMENT_TOKEN = """
client = DistributedClient(
host="polarway-server.example.com",
port=50052,
auth_token="your-secret-token"
)
"""


def _run(document: str, here: dict[str, str]) -> Any:
    for promised, found in here.items():
        assert promised in document
        document = document.replace(promised, found)
    names: dict[str, Any] = {"DistributedClient": DistributedClient}
    # The document leaves its files open.
    exec(re.sub(r"open\((.*?), 'rb'\)\.read\(\)", r"__import__('pathlib').Path(\1).read_bytes()", document), names)
    return names["client"]


def test_the_lines_of_the_document_reach_a_server_with_client_certificates(certs: Path, tmp_path: Path) -> None:
    files = {"--tls-cert": "server.crt", "--tls-key": "server.key", "--tls-ca": "ca.crt"}
    flags = [text for flag, file in files.items() for text in (flag, str(certs / file))]
    with server.running(tmp_path / "data", *flags) as address:
        here = {"polarway-server.example.com": "localhost", "50052": str(_port(address)), "/certs": str(certs)}
        with _run(DOCUMENT_TLS, here) as client:
            _works(client)


def test_the_lines_of_the_page_about_tls_reach_a_server_with_client_certificates(
    certs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = re.search(r"```python\n(.*?)```", _TLS_PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert page is not None
    monkeypatch.chdir(certs)
    files = ("--tls-cert", "server.crt", "--tls-key", "server.key", "--tls-ca", "ca.crt")
    with server.running(tmp_path, *files) as address, _run(page[1], {"50052": str(_port(address))}) as client:
        _works(client)


def test_the_lines_of_the_document_reach_a_server_with_a_token(tmp_path: Path) -> None:
    with server.running(tmp_path, token="your-secret-token") as address:
        here = {"polarway-server.example.com": "localhost", "50052": str(_port(address))}
        with _run(DOCUMENT_TOKEN, here) as client:
            _works(client)


def test_certificates_and_a_token_work_together(kind: str, certs: Path, mutual: str) -> None:
    credentials = _identified(certs, certs)
    with clients.client(kind, mutual, credentials=credentials, auth_token="your-secret-token") as client:
        _works(client)
    with (
        clients.client(kind, mutual, credentials=credentials) as client,
        pytest.raises(polarway.Unauthenticated) as caught,
    ):
        client.load("trades")
    assert caught.value.reason == "MISSING_TOKEN"


def _refused(kind: str, address: str, says: str, **named: Any) -> None:
    """A call that TLS does not let through fails at once, in words that help."""
    with clients.client(kind, address, **named) as client:
        with pytest.raises(polarway.Unavailable, match=says) as caught:
            client.datasets()
        assert address.removeprefix("https://") in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(polarway.Unavailable, match=says):
            client.store("trades", pl.DataFrame({"n": [1]}))


def test_a_server_whose_ca_is_not_trusted_is_not_spoken_to(kind: str, certs: Path, encrypted: str) -> None:
    _refused(kind, encrypted, "does not trust the CA", credentials=_trusting(certs / "stranger"))
    # Neither is it among those of the system.
    _refused(kind, f"https://{encrypted}", "does not trust the CA")


def test_a_server_whose_certificate_is_for_another_name_is_not_spoken_to(
    kind: str, certs: Path, tmp_path: Path
) -> None:
    folder = certs / "elsewhere"
    flags = ("--tls-cert", str(folder / "server.crt"), "--tls-key", str(folder / "server.key"))
    with server.running(tmp_path, *flags) as address:
        _refused(kind, address, "for another name", credentials=_trusting(folder))


def test_a_client_without_a_certificate_or_with_a_strangers_is_refused(kind: str, certs: Path, mutual: str) -> None:
    for credentials in _trusting(certs), _identified(certs, certs / "stranger"):
        _refused(kind, mutual, "refuses this client's certificate, or requires one", credentials=credentials)


def test_tls_on_one_side_only_is_told_with_what_to_do(kind: str, certs: Path, encrypted: str, address: str) -> None:
    _refused(kind, encrypted, "use https://")
    _refused(kind, address, "use http://", credentials=_trusting(certs))


def test_files_that_are_no_certificates_are_an_error_of_the_first_call(kind: str, encrypted: str) -> None:
    credentials = grpc.ssl_channel_credentials(root_certificates=b"no certificate")
    with clients.client(kind, encrypted, credentials=credentials) as client, pytest.raises(polarway.PolarwayError):
        client.datasets()


# Tokens


CALLS: dict[str, Callable[[Any], Any]] = {
    "datasets": lambda client: client.datasets(),
    "describe": lambda client: client.describe("trades"),
    "store": lambda client: client.store("trades", pl.DataFrame({"n": [1]})),
    "store_batch": lambda client: client.store_batch({"trades": pl.DataFrame({"n": [1]})}),
    "append": lambda client: client.append("trades", pl.DataFrame({"n": [1]})),
    "load": lambda client: client.load("trades"),
    "load_stream": lambda client: list(client.load_stream("trades")),
    "query": lambda client: client.query("SELECT 42"),
    "query_stream": lambda client: list(client.query_stream("SELECT 42")),
    "query_handle": lambda client: client.query_handle("SELECT 42"),
    "versions": lambda client: client.versions("trades"),
    "delete": lambda client: client.delete("trades"),
    "cache_stats": lambda client: client.cache_stats(),
    "server_info": lambda client: client.server_info(),
    "queries": lambda client: client.queries(),
    "cancel": lambda client: client.cancel("q_1"),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a token."""
    with server.running(tmp_path_factory.mktemp("token"), token="your-secret-token") as address:
        yield address


@pytest.mark.parametrize("call", list(CALLS))
def test_every_call_but_the_check_of_health_needs_the_token(kind: str, guarded: str, call: str) -> None:
    for token, reason in (None, "MISSING_TOKEN"), ("another", "INVALID_TOKEN"), ("your-secret-toke", "INVALID_TOKEN"):
        with clients.client(kind, guarded, auth_token=token) as client:
            assert client.health_check() == "OK"
            with pytest.raises(polarway.Unauthenticated) as caught:
                CALLS[call](client)
            assert caught.value.reason == reason
            assert token is None or token not in str(caught.value)


def test_the_token_of_the_environment_is_used(kind: str, guarded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLARWAY_AUTH_TOKEN", "your-secret-token")
    monkeypatch.setenv("POLARWAY_URL", f"http://{guarded}")
    with clients.client(kind) as client:
        _works(client)
    with clients.client(kind, auth_token="another") as client, pytest.raises(polarway.Unauthenticated):
        client.load("trades")


def test_what_a_token_does_not_allow_is_denied_or_not_seen(kind: str, tmp_path: Path) -> None:
    entries = {
        "reports": ("reader's token", 'role = "reader"\nread = ["sales_*"]'),
        "etl": ("writer's token", 'role = "writer"'),
        "former": ("old token", 'role = "admin"\nexpires = 2020-01-01T00:00:00Z'),
    }
    file = tmp_path / "tokens.toml"
    file.write_text(
        "".join(
            f'[[token]]\nname = "{name}"\nsha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\n{rights}\n'
            for name, (token, rights) in entries.items()
        )
    )
    frame = pl.DataFrame({"n": [1]})
    with server.running(tmp_path / "data", "--auth-file", str(file)) as address:
        with clients.client(kind, address, auth_token="writer's token") as writer:
            writer.store_batch({"sales_2026": frame, "salaries": frame})
        with clients.client(kind, address, auth_token="reader's token") as reader:
            assert reader.load("sales_2026").equals(frame)
            assert [dataset.name for dataset in reader.datasets()] == ["sales_2026"]
            with pytest.raises(polarway.DatasetNotFound):
                reader.load("salaries")
            for write in reader.store, reader.append:
                with pytest.raises(polarway.PermissionDenied):
                    write("sales_2026", frame)
            with pytest.raises(polarway.PermissionDenied):
                reader.delete("sales_2026")
        with (
            clients.client(kind, address, auth_token="old token") as former,
            pytest.raises(polarway.Unauthenticated) as caught,
        ):
            former.datasets()
        assert caught.value.reason == "TOKEN_EXPIRED"


def test_no_text_of_a_client_has_the_token(guarded: str) -> None:
    for kind in DistributedClient, AsyncDistributedClient:
        client: Any = kind(guarded, auth_token="your-secret-token")
        assert "your-secret-token" not in repr(client) + str(vars(client))
