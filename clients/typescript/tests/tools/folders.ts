import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A path in the repository. The tests run from `clients/typescript/build`. */
export function root(...parts: readonly string[]): string {
  return join(fileURLToPath(new URL("../../../../..", import.meta.url)), ...parts);
}

/** A path in the client's folder. */
export function project(...parts: readonly string[]): string {
  return root("clients", "typescript", ...parts);
}
