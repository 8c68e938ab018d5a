"""A server and a client of different revisions of the protocol."""

from __future__ import annotations

import pytest

from polarway import ProtocolError
from polarway._generated.messages import GetServerInfoResponse
from polarway._generated.revision import PROTOCOL_REVISION
from polarway._revision import check


def answer(revision: int, oldest_client: int) -> GetServerInfoResponse:
    return GetServerInfoResponse("7.8.9", protocol_revision=revision, oldest_client_revision=oldest_client)


def test_a_server_may_be_newer_than_its_client() -> None:
    check(answer(PROTOCOL_REVISION, PROTOCOL_REVISION))
    check(answer(PROTOCOL_REVISION + 5, 0))


@pytest.mark.parametrize(
    ("server", "says"),
    [
        (answer(PROTOCOL_REVISION - 1, 0), ["the server is older", "7.8.9", "Upgrade the server"]),
        (answer(PROTOCOL_REVISION + 5, PROTOCOL_REVISION + 1), ["this client is older", "7.8.9", "Upgrade the client"]),
    ],
)
def test_a_server_or_a_client_that_is_too_old_is_told_what_to_do(
    server: GetServerInfoResponse, says: list[str]
) -> None:
    with pytest.raises(ProtocolError) as caught:
        check(server)
    assert all(part in str(caught.value) for part in says)
