// One try of a stream of rows: checks the order of its chunks, and notices silence and breaks.

import type { DescMessage, DescMethodStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { RecordBatch, Schema } from "apache-arrow";
import type { Attempt } from "./call.js";
import { decoded } from "./call.js";
import { protocolError, unreachable } from "./failure.js";
import type { Chunk } from "./generated/polarway/v1/table_pb.js";
import { StreamDecoder } from "./tables/decode.js";
import type { Incoming } from "./transport.js";

/** The stream that one try of a call receives from a worker. */
export class Receiver<O extends DescMessage> {
  readonly #answer: O;
  readonly #incoming: Incoming;
  readonly #decoder = new StreamDecoder();
  #isOpen = false;
  /** The number of the row that comes next. */
  nextRow: bigint;

  private constructor(answer: O, incoming: Incoming, firstRow: bigint) {
    this.#answer = answer;
    this.#incoming = incoming;
    this.nextRow = firstRow;
  }

  /** Requests a stream that begins with this row. The server ends the call after `timeMs`, if it is given. */
  static open<I extends DescMessage, O extends DescMessage>(
    attempt: Attempt,
    method: DescMethodStreaming<I, O>,
    request: MessageInitShape<I>,
    firstRow = 0n,
    timeMs?: number,
  ): Receiver<O> {
    return new Receiver(method.output, attempt.open(method, request, timeMs), firstRow);
  }

  /** The table's columns, after the first chunk. */
  get schema(): Schema | undefined {
    return this.#decoder.schema;
  }

  /** The next message: one with nothing in it is a heartbeat, `undefined` the end of a complete table. */
  async next(attempt: Attempt): Promise<MessageShape<O> | undefined> {
    const message = await (this.#isOpen ? attempt.next(this.#incoming) : attempt.first(this.#incoming));
    this.#isOpen = true;
    if (message === undefined) {
      if (!this.#decoder.isComplete) {
        // A proxy may end a stream before the server does.
        throw unreachable("the stream ended in the middle of the table");
      }
      return undefined;
    }
    return decoded(this.#answer, message);
  }

  /** The rows of a chunk, which must be the one that comes next. */
  rows(chunk: Chunk): RecordBatch[] {
    if (chunk.firstRow !== this.nextRow) {
      throw protocolError(`the server sent row ${chunk.firstRow} where row ${this.nextRow} comes next`);
    }
    const batches = this.#decoder.decode(chunk.ipc);
    const rows = batches.reduce((sum, batch) => sum + BigInt(batch.numRows), 0n);
    if (rows !== chunk.rows) {
      throw protocolError(`the server sent ${rows} rows as ${chunk.rows}`);
    }
    this.nextRow += rows;
    return batches;
  }

  /** Ends the call, so that the server stops its work. */
  cancel(): void {
    this.#incoming.cancel();
  }
}
