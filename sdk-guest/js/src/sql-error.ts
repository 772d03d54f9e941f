// Why a statement failed, and what of it the caller may learn.

import { HostError, LogicError, type WitError } from "./error.ts";

/** Why a statement failed. */
export type SqlErrorKind =
  | "denied"
  | "invalid"
  | "limit"
  | "timeout"
  | "unavailable"
  | "database"
  | "rowCount"
  | "other";

/** The kind of a violated constraint. New kinds may appear. */
export type Constraint = "unique" | "foreign_key" | "not_null" | "check" | (string & {});

interface WitDatabaseError {
  code: string;
  message: string;
  constraintKind: string | null;
  retryable: boolean;
  extras: [string, string][];
}

/** A statement failed. Not caught, it becomes a `LogicError` that tells the caller no word of the database's. */
export class SqlError extends HostError {
  override readonly name = "SqlError";
  readonly kind: SqlErrorKind;
  /** SQLSTATE on PostgreSQL and MySQL, `sqlite:<extended result code>` on SQLite; the limit's name with `limit`. */
  readonly code: string | null;
  /** Which kind of constraint was violated, if that is what happened. */
  readonly constraint: Constraint | null;
  /** True where the same call may succeed when made again. */
  readonly retryable: boolean;
  /** What else the database told. */
  readonly extras: Readonly<Record<string, string>>;

  constructor(kind: SqlErrorKind, message: string, code: string | null = null, database?: WitDatabaseError) {
    super(message);
    this.kind = kind;
    this.code = code;
    this.constraint = database?.constraintKind ?? null;
    this.retryable = database?.retryable ?? kind === "unavailable";
    this.extras = Object.fromEntries(database?.extras ?? []);
  }

  override toLogicError(): LogicError {
    switch (this.kind) {
      case "denied":
        return new LogicError("SQL_DENIED", "the logic may not do this in the database");
      case "invalid":
        return new LogicError("SQL_INVALID", "the logic made a mistake with the database");
      case "limit":
        return new LogicError("SQL_LIMIT", "the logic asked for more data than it may read");
      case "timeout":
        return new LogicError("SQL_TIMEOUT", "the database took too long");
      case "unavailable":
        return new LogicError("SQL_UNAVAILABLE", "the database cannot be reached now");
      case "rowCount":
        return this.message.endsWith("none came")
          ? new LogicError("NOT_FOUND", "there is no such row")
          : new LogicError("SQL_INVALID", "the logic made a mistake with the database");
      case "database":
        return this.refusal();
      case "other":
        return new LogicError("SQL_ERROR", "the database refused");
    }
  }

  private refusal(): LogicError {
    switch (this.constraint) {
      case "unique":
        return new LogicError("UNIQUE_VIOLATION", "a value that must be unique is already taken");
      case "foreign_key":
        return new LogicError("FOREIGN_KEY_VIOLATION", "a referenced row is missing or still in use");
      case "not_null":
        return new LogicError("NOT_NULL_VIOLATION", "a required value is missing");
      case "check":
        return new LogicError("CHECK_VIOLATION", "a value is not acceptable");
      default:
        return this.retryable
          ? new LogicError("SQL_CONFLICT", "another call got in the way; try again")
          : new LogicError("SQL_ERROR", "the database refused");
    }
  }
}

/** The error as the host threw it. */
export function fromHost(error: WitError): SqlError {
  switch (error.tag) {
    case "denied":
    case "invalid":
    case "timeout":
    case "unavailable":
      return new SqlError(error.tag, `sql ${error.tag}: ${error.val}`);
    case "limit":
      return new SqlError("limit", `sql limit reached: ${error.val}`, String(error.val));
    case "database": {
      const database = error.val as WitDatabaseError;
      return new SqlError("database", `database error ${database.code}: ${database.message}`, database.code, database);
    }
    default: {
      const [code, message] = error.val as [string, string];
      return new SqlError("other", `sql: ${code}: ${message}`, code);
    }
  }
}
