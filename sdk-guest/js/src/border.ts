// What the engines of `stk` show differently at the border. This is the one place that knows: 64-bit integers are numbers in
// QuickJS and `bigint` in StarlingMonkey, whose arrays from the host are made in another realm.

/** Set by the build: true where `s64` and `u64` are `bigint`. */
declare const santokitWideIsBigInt: boolean;

/** A 64-bit integer as the engine has it. */
export type Wide = number | bigint;

/** From the host: exact to 2^53, which no count, clock or duration of the host goes beyond. */
export function fromWide(value: Wide): number {
  return Number(value);
}

/** To the host: a whole number within 2^53. */
export function toWide(value: number): Wide {
  return santokitWideIsBigInt ? BigInt(value) : value;
}

/** The same bytes as the module's own kind of array: of another realm's, `instanceof Uint8Array` is false. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes instanceof Uint8Array ? bytes : foreign(bytes);
}

function foreign(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
