// Structured log lines. They carry the request id and the logic's name; the operator sees them, the caller does not.

import { log as write } from "santokit:runtime/log@0.1.0";

/** Extra keys of a line. What is no string is written as JSON. */
export type Fields = Record<string, unknown>;

/** How much a line matters. */
export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** Writes one line. Beyond the manifest's `logBytes` lines are dropped. */
export function log(level: Level, message: string, fields: Fields = {}): void {
  write(level, message, Object.entries(fields).map(([key, value]) => [key, text(value)]));
}

/** Writes a line at trace level. */
export function trace(message: string, fields?: Fields): void {
  log("trace", message, fields);
}

/** Writes a line at debug level. */
export function debug(message: string, fields?: Fields): void {
  log("debug", message, fields);
}

/** Writes a line at info level. */
export function info(message: string, fields?: Fields): void {
  log("info", message, fields);
}

/** Writes a line at warn level. */
export function warn(message: string, fields?: Fields): void {
  log("warn", message, fields);
}

/** Writes a line at error level. */
export function error(message: string, fields?: Fields): void {
  log("error", message, fields);
}

/** A value as it is best read in a log. */
export function text(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "bigint" || typeof value === "function" || typeof value === "symbol") return String(value);
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
