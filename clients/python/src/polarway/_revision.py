"""Whether a server and this client can work with each other.

The protocol is only added to. A server may thus be newer than its clients, as far as it says; it may not be older: it
would ignore what it does not know, and nobody would be told.
"""

from __future__ import annotations

from typing import Final

from polarway._generated import messages
from polarway._generated.revision import PROTOCOL_REVISION
from polarway.errors import ProtocolError

VERSION: Final = "0.1.0"
"""The version of this package."""


def check(server: messages.GetServerInfoResponse) -> None:
    """Compares the two revisions.

    Raises:
        ProtocolError: Either side is too old for the other; the message says which, and what to do.
    """
    revision, oldest = server.protocol_revision, server.oldest_client_revision
    ours = f"{VERSION}, which speaks revision {PROTOCOL_REVISION} of the protocol"
    if revision < PROTOCOL_REVISION:
        raise ProtocolError(
            f"the server is older than this client: it is Polarway {server.server_version}, which speaks revision "
            f"{revision} of the protocol, and this client is Polarway {ours}. Upgrade the server, or use the client of "
            "its version"
        )
    if oldest > PROTOCOL_REVISION:
        raise ProtocolError(
            f"this client is older than the server allows: it is Polarway {ours}, and the server, Polarway "
            f"{server.server_version}, takes revision {oldest} and later. Upgrade the client to the server's version"
        )
