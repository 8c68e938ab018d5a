// Tells about the workers that answer: health, versions, the cache, and their queries.

import type { Core } from "./core.js";
import { PolarwayError } from "./errors.js";
import { errorOf } from "./failure.js";
import { ServingStatus } from "./generated/grpc/health/v1/health_pb.js";
import { PolarwayService } from "./generated/polarway/v1/service_pb.js";
import type { CacheStats, RunningQuery, ServerInfo } from "./model.js";
import { cacheStatsOf, runningQueryOf, serverInfoOf } from "./model.js";
import { textOf } from "./texts.js";

const { getCacheStats, getServerInfo, listQueries, cancelQuery } = PolarwayService.method;

/** Checks that a server serves. */
export async function healthCheck(core: Core, signal: AbortSignal | undefined): Promise<"OK"> {
  const { status } = await core.health(signal);
  if (status !== ServingStatus.SERVING) {
    const message = `the server says that it is ${ServingStatus[status] ?? status}`;
    throw errorOf({ code: "UNAVAILABLE", message }, undefined);
  }
  return "OK";
}

/** The worker that answers. */
export async function serverInfo(core: Core, signal: AbortSignal | undefined): Promise<ServerInfo> {
  return serverInfoOf(await core.unary(getServerInfo, {}, signal));
}

/** The state of the cache of the worker that answers. */
export async function cacheStats(core: Core, signal: AbortSignal | undefined): Promise<CacheStats> {
  return cacheStatsOf(await core.unary(getCacheStats, {}, signal));
}

/** The queries that wait or run on all workers, the oldest first. */
export async function queries(core: Core, signal: AbortSignal | undefined): Promise<RunningQuery[]> {
  const answers = await Promise.all(core.workers.map((worker) => core.unary(listQueries, {}, signal, worker)));
  const found = answers.flatMap((answer) => answer.queries.map(runningQueryOf));
  return found.sort((one, other) => Number(one.started.epochNs - other.started.epochNs));
}

/** Cancels a query, on whichever worker it runs. */
export async function cancel(core: Core, queryId: string, signal: AbortSignal | undefined): Promise<void> {
  const request = { queryId: textOf("the id of a query", queryId) };
  let failed: PolarwayError | undefined;
  for (const worker of core.workers) {
    try {
      await core.unary(cancelQuery, request, signal, worker);
      return;
    } catch (error) {
      if (!(error instanceof PolarwayError)) {
        throw error;
      }
      // That a worker did not answer is more useful to know than that another one refused.
      if (failed === undefined || failed.reason !== undefined) {
        failed = error;
      }
    }
  }
  throw failed;
}
