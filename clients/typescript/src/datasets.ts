// Lists, describes and deletes datasets, and lists their versions.

import type { AtOptions } from "./at.js";
import { AT_OPTIONS, atOf, expectedOf } from "./at.js";
import type { Core } from "./core.js";
import { invalidInput, protocolError } from "./failure.js";
import { PolarwayService } from "./generated/polarway/v1/service_pb.js";
import type { Dataset, Description, Published, Version } from "./model.js";
import { datasetOf, descriptionOf, publishedOf, versionOf } from "./model.js";
import { requestIdOf, requestOf } from "./requestId.js";
import { checkNames } from "./settings.js";
import { datasetName } from "./texts.js";

/** Which version is described. */
export interface DescribeOptions extends AtOptions {
  /** Ends the call when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** How a dataset is deleted. */
export interface DeleteOptions {
  /** Refuses the deletion unless the dataset is at this version. */
  readonly expectedVersion?: number | undefined;
  /**
   * Removes its data at once: older versions can't be read any more. If the dataset is deleted already, what is left of
   * it is removed.
   */
  readonly purge?: boolean | undefined;
  /** The id of a deletion that the program itself may make again, from `freshRequest`. */
  readonly request?: string | undefined;
  /** Ends the call when it is aborted. The dataset may be deleted all the same. */
  readonly signal?: AbortSignal | undefined;
}

/** All datasets with their newest versions, by name. */
export async function datasets(core: Core, signal: AbortSignal | undefined): Promise<Dataset[]> {
  const pages = await core.pages(PolarwayService.method.listDatasets, (pageToken) => ({ pageToken }), signal);
  return pages.flatMap((page) => page.datasets.map(datasetOf));
}

/** Describes a version of a dataset. */
export async function describe(core: Core, name: string, options: DescribeOptions): Promise<Description> {
  checkNames("a description", options, [...AT_OPTIONS, "signal"]);
  const at = atOf(options);
  const request = { name: datasetName(name), ...(at === undefined ? {} : { at }) };
  const { dataset } = await core.unary(PolarwayService.method.getDataset, request, options.signal);
  if (dataset === undefined) {
    throw protocolError("the server sent a description without a dataset");
  }
  return descriptionOf(dataset);
}

/** All versions that a dataset ever had, oldest first. */
export async function versions(core: Core, name: string, signal: AbortSignal | undefined): Promise<Version[]> {
  const checked = datasetName(name);
  const pages = await core.pages(
    PolarwayService.method.listVersions,
    (pageToken) => ({ name: checked, pageToken }),
    signal,
  );
  return pages.flatMap((page) => page.versions.map(versionOf));
}

/** Deletes a dataset. */
export async function deleteDataset(core: Core, name: string, options: DeleteOptions): Promise<Published> {
  checkNames("a deletion", options, ["expectedVersion", "purge", "request", "signal"]);
  const { expectedVersion, purge = false, request, signal } = options;
  if (typeof purge !== "boolean") {
    throw invalidInput(`purge is true or false, and not ${String(purge)}`);
  }
  const message = {
    name: datasetName(name),
    requestId: requestIdOf(requestOf(request), 0),
    purge,
    ...expectedOf(expectedVersion),
  };
  const { published } = await core.unary(PolarwayService.method.deleteDataset, message, signal);
  if (published === undefined) {
    throw protocolError("the server did not say which version the deletion made");
  }
  return publishedOf(published);
}
