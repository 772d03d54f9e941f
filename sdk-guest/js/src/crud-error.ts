// Why a request to a table was not done, and what of it the caller may learn.

import { ownBytes } from "./border.ts";
import { HostError, LogicError, type WitError } from "./error.ts";
import { decode } from "./utf8.ts";

/** Why a request to a table was not done. */
export type CrudErrorKind = "denied" | "invalid" | "limit" | "timeout" | "refused" | "other";

interface WitProblem {
  code: string;
  message: string;
  hint: string | null | undefined;
  details: Uint8Array;
}

/** A request to a table was not done. Not caught, it becomes a `LogicError` that tells the caller a code, and no word of the tables'. */
export class CrudError extends HostError {
  override readonly name = "CrudError";
  readonly kind: CrudErrorKind;
  /** With `refused` the code that a caller of the Bridge would be told: `NOT_FOUND`, `CONFLICT`, …; with `limit` its name. */
  readonly code: string | null;
  /** What to do next. */
  readonly hint: string | null;
  /** For programs: `errors`, `limit`. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(kind: CrudErrorKind, message: string, code: string | null = null, hint: string | null = null, details = {}) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.hint = hint;
    this.details = details;
  }

  override toLogicError(): LogicError {
    switch (this.kind) {
      case "denied":
        return new LogicError("CRUD_DENIED", "the logic may not do this with a table");
      case "invalid":
        return new LogicError("CRUD_INVALID", "the logic made a mistake with a table");
      case "limit":
        return new LogicError("SQL_LIMIT", "the logic asked for more data than it may read");
      case "timeout":
        return new LogicError("CRUD_TIMEOUT", "the database took too long");
      case "refused":
        return this.refusal();
      case "other":
        return new LogicError("CRUD_ERROR", "the database refused");
    }
  }

  private refusal(): LogicError {
    switch (this.code) {
      case "UNAUTHORIZED":
      case "FORBIDDEN":
      case "NOT_FOUND":
        return new LogicError("CRUD_DENIED", "the logic may not do this with a table");
      case "BAD_REQUEST":
      case "SCHEMA_VALIDATION_FAILED":
        return new LogicError("CRUD_INVALID", "a table does not take this");
      case "CONFLICT":
        return new LogicError("CRUD_CONFLICT", "the change contradicts what is stored");
      case "SERVICE_UNAVAILABLE":
        return new LogicError("CRUD_UNAVAILABLE", "the database cannot be reached now");
      default:
        return new LogicError("CRUD_ERROR", "the database refused");
    }
  }
}

/** The error as the host threw it. */
export function fromHost(error: WitError): CrudError {
  switch (error.tag) {
    case "denied":
    case "invalid":
    case "timeout":
      return new CrudError(error.tag, `crud ${error.tag}: ${error.val}`);
    case "limit":
      return new CrudError("limit", `crud limit reached: ${error.val}`, String(error.val));
    case "refused": {
      const { code, message, hint, details } = error.val as WitProblem;
      const more = JSON.parse(decode(ownBytes(details))) as Record<string, unknown>;
      return new CrudError("refused", `crud refused, ${code}: ${message}`, code, hint ?? null, more);
    }
    default: {
      const [code, message] = error.val as [string, string];
      return new CrudError("other", `crud: ${code}: ${message}`, code);
    }
  }
}
