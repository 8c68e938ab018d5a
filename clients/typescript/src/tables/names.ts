// Names of columns that are distinct, as the server makes them when it keeps a result.

/**
 * The first of several equal names stays, and the others get a number, which never gives a name that another column
 * has. As in SQL, upper and lower case are equal.
 */
export function distinct(names: readonly string[]): string[] {
  const given = new Set(names.map((name) => name.toLowerCase()));
  const taken = new Set<string>();
  const numbers = new Map<string, number>();
  return names.map((name) => {
    let renamed = name;
    while (taken.has(renamed.toLowerCase()) || (renamed !== name && given.has(renamed.toLowerCase()))) {
      const number = (numbers.get(name.toLowerCase()) ?? 0) + 1;
      numbers.set(name.toLowerCase(), number);
      renamed = `${name}_${number}`;
    }
    taken.add(renamed.toLowerCase());
    return renamed;
  });
}

/** The same names, or distinct ones if two of them are equal. Upper and lower case are different in JavaScript. */
export function keysOf(names: readonly string[]): string[] {
  return new Set(names).size === names.length ? [...names] : distinct(names);
}
