// Objects that users give.

/** Whether it was written as `{…}`, and is no object of a class. */
export function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === null || prototype === Object.prototype;
}

/** An object for a message: by its class, as its text would be of no use. */
export function describedObject(object: object): string {
  return `an object of class ${object.constructor?.name ?? "?"}`;
}
