// Decimals: whole numbers of 4 to 32 bytes, and where the point is.

/** The digits of the decimal at a place of a column whose decimals have so many words of 32 bits each. */
export function decimalAt(column: Uint32Array, words: number, index: number, scale: number): string {
  return decimalText(integerOf(column.subarray(index * words, (index + 1) * words)), scale);
}

/** The number in these words of 32 bits, the last of which has the sign. */
function integerOf(words: Uint32Array): bigint {
  let value = BigInt((words[words.length - 1] ?? 0) | 0);
  for (let index = words.length - 2; index >= 0; index -= 1) {
    value = (value << 32n) | BigInt(words[index] ?? 0);
  }
  return value;
}

/** The digits of a decimal: `1234567.89`. */
function decimalText(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? "-" : "";
  const digits = String(unscaled < 0n ? -unscaled : unscaled);
  if (scale <= 0) {
    return sign + digits + (unscaled === 0n ? "" : "0".repeat(-scale));
  }
  const padded = digits.padStart(scale + 1, "0");
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}

/** The same numbers in 16 bytes each, of which each had so many words before. */
export function widened(words: Uint32Array, wordsBefore: number, length: number): Uint32Array {
  const wide = new Uint32Array(length * 4);
  for (let index = 0; index < length; index += 1) {
    const number = words.subarray(index * wordsBefore, (index + 1) * wordsBefore);
    wide.set(number, index * 4);
    if (((number[wordsBefore - 1] ?? 0) | 0) < 0) {
      wide.fill(0xffff_ffff, index * 4 + wordsBefore, (index + 1) * 4);
    }
  }
  return wide;
}
