// Time as the host sees it. `Date` works as well: the build points it here.

import { elapsed as hostElapsed, now as hostNow, remaining as hostRemaining } from "santokit:runtime/clock@0.1.0";
import { fromWide } from "./border.ts";

/** The wall clock: milliseconds since 1970-01-01T00:00:00Z. */
export function now(): number {
  const { seconds, nanoseconds } = hostNow();
  return fromWide(seconds) * 1000 + Math.floor(nanoseconds / 1e6);
}

/** The wall clock as RFC 3339 with microseconds, the form in which timestamps are bound and read. */
export function timestamp(): string {
  const { seconds, nanoseconds } = hostNow();
  const micros = String(Math.floor(nanoseconds / 1000)).padStart(6, "0");
  return `${new globalThis.Date(fromWide(seconds) * 1000).toISOString().slice(0, 19)}.${micros}Z`;
}

/** Milliseconds since this invocation began, with fractions. */
export function elapsed(): number {
  return fromWide(hostElapsed()) / 1e6;
}

/** Milliseconds until the host stops this invocation. */
export function remaining(): number {
  return hostRemaining();
}
