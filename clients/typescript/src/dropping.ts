// Drops handles on the server when the program has no object of them any more.

/** Drops the handles of a client that were collected. */
export class Dropper<T extends object> {
  readonly #registry: FinalizationRegistry<string>;
  #isClosed = false;

  constructor(drop: (handleId: string) => Promise<void>) {
    this.#registry = new FinalizationRegistry((handleId) => {
      if (!this.#isClosed) {
        // Errors are ignored: a handle that is not dropped stays until it expires.
        drop(handleId).catch(() => {});
      }
    });
  }

  /** From now on the handle is dropped some time after its object is gone, unless it is forgotten. */
  watch(handle: T, handleId: string): void {
    this.#registry.register(handle, handleId, handle);
  }

  /** The handle is not dropped with its object. */
  forget(handle: T): void {
    this.#registry.unregister(handle);
  }

  /** Drops no handles any more. */
  close(): void {
    this.#isClosed = true;
  }
}
