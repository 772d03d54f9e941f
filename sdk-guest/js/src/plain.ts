// Values of JavaScript in the JSON that a Bridge reads.

/** For `JSON.stringify`: `bigint` as a string, bytes as base64. */
export function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? value.toBase64() : value;
}
