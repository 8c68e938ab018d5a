// Whether a server and this client can work with each other.
//
// The protocol is only added to. A server may thus be newer than its clients, as far as it says; it may not be older:
// it would silently ignore what it does not know.

import { protocolError } from "./failure.js";
import type { GetServerInfoResponse } from "./generated/polarway/v1/server_pb.js";
import { PROTOCOL_REVISION } from "./generated/revision.js";
import { VERSION } from "./version.js";

/** Compares the two revisions, and refuses a server or a client that is too old; the message says what to do. */
export function checkRevision(
  server: Pick<GetServerInfoResponse, "serverVersion" | "protocolRevision" | "oldestClientRevision">,
): void {
  const { serverVersion, protocolRevision: revision, oldestClientRevision: oldest } = server;
  const ours = `${VERSION}, which speaks revision ${PROTOCOL_REVISION} of the protocol`;
  if (revision < PROTOCOL_REVISION) {
    throw protocolError(
      `the server is older than this client: it is Polarway ${serverVersion}, which speaks revision ${revision} of ` +
        `the protocol, and this client is Polarway ${ours}. Upgrade the server, or use the client of its version`,
    );
  }
  if (oldest > PROTOCOL_REVISION) {
    throw protocolError(
      `this client is older than the server allows: it is Polarway ${ours}, and the server, Polarway ${serverVersion}, ` +
        `takes revision ${oldest} and later. Upgrade the client to the server's version`,
    );
  }
}
