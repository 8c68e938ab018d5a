// Arrow's IPC format, as far as the tables of a stream need it: where its messages begin and end.

import { Message } from "apache-arrow/fb/message";
import { ByteBuffer } from "flatbuffers";
import { protocolError } from "../failure.js";

/** What each message begins with; the length of its metadata comes after it. */
export const MARK = 0xffff_ffff;

/** The bytes of the mark and of the length. */
export const PREFIX_BYTES = 8;

/** A message: its metadata, and its body. */
export interface IpcMessage {
  readonly metadata: Message;
  readonly body: Uint8Array;
}

/**
 * The messages in whole chunks of a stream. The mark at its end is a message without metadata: it gives `undefined`.
 */
export function* messagesOf(ipc: Uint8Array): Generator<IpcMessage | undefined> {
  const view = new DataView(ipc.buffer, ipc.byteOffset, ipc.byteLength);
  let offset = 0;
  while (offset < ipc.length) {
    if (offset + PREFIX_BYTES > ipc.length || view.getUint32(offset, true) !== MARK) {
      throw notArrow("a message does not begin with its mark");
    }
    const metadataLength = view.getInt32(offset + 4, true);
    offset += PREFIX_BYTES;
    if (metadataLength === 0) {
      yield undefined;
      continue;
    }
    if (metadataLength < 0 || offset + metadataLength > ipc.length) {
      throw notArrow("the metadata of a message is longer than the chunk");
    }
    const metadata = Message.getRootAsMessage(new ByteBuffer(ipc.subarray(offset, offset + metadataLength)));
    offset += metadataLength;
    const bodyLength = Number(metadata.bodyLength());
    if (offset + bodyLength > ipc.length) {
      throw notArrow("the body of a message is longer than the chunk");
    }
    yield { metadata, body: ipc.subarray(offset, offset + bodyLength) };
    offset += bodyLength;
  }
}

/** What the server sent is no table. */
export function notArrow(why: string): Error {
  return protocolError(`what the server sent is no table: ${why}`);
}
