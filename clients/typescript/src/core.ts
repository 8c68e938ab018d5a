// What a client consists of, apart from its methods: where the servers are, and how they are called.

import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { CallSpec, Common, Patience } from "./call.js";
import { Call, PATIENCE, Workers } from "./call.js";
import type { HealthCheckResponse } from "./generated/grpc/health/v1/health_pb.js";
import { Health } from "./generated/grpc/health/v1/health_pb.js";
import { PolarwayService } from "./generated/polarway/v1/service_pb.js";
import { checkRevision } from "./revision.js";
import type { Settings } from "./settings.js";
import type { Transport, Worker } from "./transport.js";
import { VERSION } from "./version.js";

/** A page of a list that the server gives in several calls. */
interface Page {
  readonly nextPageToken: string;
}

/** A client without its methods. */
export class Core {
  readonly settings: Settings;
  readonly transport: Transport;
  readonly #common: Common;
  // Whether a server of this protocol has answered.
  #isGreeted = false;

  constructor(settings: Settings, transport: Transport, patience: Patience = PATIENCE) {
    this.settings = settings;
    this.transport = transport;
    const headers: Record<string, string> = { "user-agent": `polarway-typescript/${VERSION}` };
    if (settings.token !== undefined) {
      headers["authorization"] = `Bearer ${settings.token}`;
    }
    this.#common = {
      transport,
      workers: new Workers(settings.addresses),
      headers,
      timeoutMs: settings.timeoutMs,
      patience,
    };
  }

  /** All workers that this client knows. */
  get workers(): readonly Worker[] {
    return this.#common.workers.all;
  }

  /**
   * A call that any worker may answer, or only one.
   *
   * Before the first call, a server is asked for the protocol that it speaks. This is not retried if none can be
   * reached, so that a wrong address is found at once.
   */
  async call(spec: CallSpec): Promise<Call> {
    if (!this.#isGreeted) {
      await this.#greet(spec.signal);
    }
    return new Call(this.#common, spec);
  }

  /** Makes a call with one message and one answer, which may be made again. */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    signal?: AbortSignal | undefined,
    only?: Worker,
  ): Promise<MessageShape<O>> {
    const call = await this.call({ kind: "idempotent", only, signal });
    return call.run((attempt) => attempt.unary(method, request));
  }

  /** All pages of a list. */
  async pages<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: (pageToken: string) => MessageInitShape<I>,
    signal: AbortSignal | undefined,
  ): Promise<(MessageShape<O> & Page)[]> {
    const pages: (MessageShape<O> & Page)[] = [];
    let token = "";
    do {
      const page = (await this.unary(method, request(token), signal)) as MessageShape<O> & Page;
      pages.push(page);
      token = page.nextPageToken;
    } while (token !== "");
    return pages;
  }

  /** Asks whether the server serves. It tells that without a token, and whatever the protocol's revision. */
  async health(signal: AbortSignal | undefined): Promise<HealthCheckResponse> {
    const request = { service: PolarwayService.typeName };
    const kind = this.#isGreeted ? "idempotent" : "probe";
    return new Call(this.#common, { kind, signal }).run((attempt) => attempt.unary(Health.method.check, request));
  }

  async #greet(signal: AbortSignal | undefined): Promise<void> {
    const call = new Call(this.#common, { kind: "probe", signal });
    await call.run(async (attempt) => checkRevision(await attempt.unary(PolarwayService.method.getServerInfo, {})));
    this.#isGreeted = true;
  }
}
