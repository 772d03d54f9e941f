// Cryptographically secure randomness from the host. `Math.random` and `crypto` work as well: the build points them here.

import { bytes as hostBytes } from "santokit:runtime/random@0.1.0";
import { ownBytes } from "./border.ts";

/** The most that the host gives in one call. */
const MAX_CHUNK = 65_536;

/** Random bytes, any number of them. */
export function bytes(length: number): Uint8Array {
  if (length <= MAX_CHUNK) return ownBytes(hostBytes(length));
  const all = new Uint8Array(length);
  for (let start = 0; start < length; start += MAX_CHUNK) {
    all.set(hostBytes(Math.min(MAX_CHUNK, length - start)), start);
  }
  return all;
}

/** A random number from 0 to 1 (excluded), with 53 random bits. */
export function random(): number {
  const view = new DataView(bytes(8).slice().buffer);
  return (view.getUint32(0) * 0x20_0000 + (view.getUint32(4) >>> 11)) / 2 ** 53;
}

/** A random integer from 0 to `limit` (excluded), each equally likely to within 2^-53. */
export function below(limit: number): number {
  return Math.floor(random() * limit);
}

/** A random UUID, version 4. */
export function uuid(): string {
  const id = bytes(16);
  id[6] = (id[6]! & 0x0f) | 0x40;
  id[8] = (id[8]! & 0x3f) | 0x80;
  const hex = id.toHex();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
