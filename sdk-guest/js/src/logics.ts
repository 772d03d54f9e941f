// Calls of other logics of the project. Needs `grants.logics` for each name.

import { call as hostCall } from "santokit:logics/logics@0.1.0";
import { ownBytes } from "./border.ts";
import { HostError, LogicError } from "./error.ts";
import { decode, encode } from "./utf8.ts";

/** `denied`, `invalid`, `refused` (the logic said no), `failed`, `limit`, `depth`, `unavailable`. Others may come. */
export type CallErrorKind = string;

/** A logic gave no answer. Not caught, what it refuses with is handed on as it is; of all else the caller gets a code. */
export class CallError extends HostError {
  override readonly name = "CallError";
  readonly kind: CallErrorKind;
  /** With `refused` the logic's own: `OUT_OF_STOCK`; otherwise of the catalogue: `NOT_FOUND`, … */
  readonly code: string;
  /** For example with `errors`, or what the logic says. */
  readonly details: unknown;

  constructor(kind: CallErrorKind, code: string, message: string, details?: unknown) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.details = details;
  }

  override toLogicError(): LogicError {
    switch (this.kind) {
      case "refused":
        return new LogicError(this.code, this.message, this.details);
      case "limit":
        return new LogicError("LOGICS_LIMIT", "the logic asked for more data than it may read");
      case "denied":
        return new LogicError("LOGICS_DENIED", "the logic may not do this for its caller");
      case "invalid":
        return new LogicError("LOGICS_INVALID", "the logic made a mistake with another one");
      default:
        return new LogicError("LOGICS_FAILED", "another logic failed");
    }
  }
}

/**
 * Calls a logic, and waits for its answer.
 *
 * ```ts
 * const quote = logics.call<{ cents: number }>("pricing/quote", { itemId: "i1" });
 * ```
 *
 * It runs for the same caller, with its own grants, within what this invocation has left, and in the transactions that are open. Where it
 * ends with an error, what it did in them is undone, and they go on.
 */
export function call<T = unknown>(name: string, params: Readonly<Record<string, unknown>> = {}): T {
  const sent = encode(JSON.stringify(params));
  return JSON.parse(decode(ownBytes(calling(() => hostCall(name, sent))))) as T;
}

/** The engines throw an `Error` with the record as its `payload`, or the record itself. */
function calling<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const said = ((error as { payload?: unknown } | null)?.payload ?? error) as Said | null;
    if (typeof said?.kind !== "string") throw error;
    const details = said.details ? (JSON.parse(decode(ownBytes(said.details))) as unknown) : undefined;
    throw new CallError(said.kind, said.code, said.message, details);
  }
}

interface Said {
  kind: string;
  code: string;
  message: string;
  details: Uint8Array | null | undefined;
}
