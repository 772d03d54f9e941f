// SQL on the project's own databases. Needs `grants.sql` for the connection, the tables and the verbs used.
//
// A statement is one SQL statement; placeholders are `?` on SQLite and MySQL and `$1` … on PostgreSQL, and values are
// always bound. Rows cross the border packed (see packed.ts).

import { open as hostOpen } from "santokit:sql/connections@0.1.0";
import type { WitConnection, WitStatements, WitTransaction } from "santokit:sql/connections@0.1.0";
import { calling } from "./error.ts";
import { Cursor, type Row } from "./cursor.ts";
import { type Cell, unpack } from "./packed.ts";
import { fromHost, SqlError } from "./sql-error.ts";
import { type Param, toWit } from "./value.ts";
import { fromWide } from "./border.ts";

export { Cursor } from "./cursor.ts";
export type { Row } from "./cursor.ts";
export { SqlError } from "./sql-error.ts";
export type { Constraint, SqlErrorKind } from "./sql-error.ts";
export type { Cell } from "./packed.ts";
export type { Param } from "./value.ts";
export { decimal, Float, float, json, timestamp, Typed, typed } from "./value.ts";

/** Opens a connection of the project by its name, for example `main`. */
export function open(name: string): Connection {
  return new Connection(calling(() => hostOpen(name), fromHost));
}

/** Statements, on a connection or in a transaction. */
abstract class Statements<Host extends WitStatements> {
  /** @internal */
  protected readonly host: Host;

  /** @internal */
  constructor(host: Host) {
    this.host = host;
  }

  /** Reads all rows of a result. */
  query<T = Row>(sql: string, params: readonly Param[] = []): T[] {
    const values = toWit(params);
    const packed = calling(() => this.host.queryPacked(sql, values), fromHost);
    return unpack<T>(packed.columns.map((column) => column.name), packed.batch);
  }

  /** Reads exactly one row; none or several throw. */
  queryOne<T = Row>(sql: string, params: readonly Param[] = []): T {
    const row = this.queryOptional<T>(sql, params);
    if (row === undefined) throw new SqlError("rowCount", "one row was asked for, none came");
    return row;
  }

  /** Reads one row or none (`undefined`); several throw. */
  queryOptional<T = Row>(sql: string, params: readonly Param[] = []): T | undefined {
    const rows = this.query<T>(sql, params);
    if (rows.length > 1) throw new SqlError("rowCount", "one row was asked for, several came");
    return rows[0];
  }

  /** Reads the first column of exactly one row. */
  queryValue<T = Cell>(sql: string, params: readonly Param[] = []): T {
    return Object.values(this.queryOne(sql, params))[0] as T;
  }

  /** Runs a statement for its effect; the number of rows affected. */
  execute(sql: string, params: readonly Param[] = []): number {
    const values = toWit(params);
    return fromWide(calling(() => this.host.execute(sql, values), fromHost));
  }

  /** Reads a large result in parts: `for (const row of db.cursor(…))`. */
  cursor<T = Row>(sql: string, params: readonly Param[] = []): Cursor<T> {
    const values = toWit(params);
    return new Cursor<T>(calling(() => this.host.openCursor(sql, values), fromHost));
  }
}

/**
 * A database of the project. While a transaction is open on it, statements made through the connection belong to the
 * innermost one.
 */
export class Connection extends Statements<WitConnection> {
  /** For example `sqlite`, `postgres`, `mysql`. */
  engine(): string {
    return this.host.engine();
  }

  /** Begins a transaction. One begun inside another is a savepoint of it. Prefer `transaction`. */
  begin(): Transaction {
    return new Transaction(calling(() => this.host.begin([]), fromHost));
  }

  /** Runs `work` in a transaction: commits when it returns, rolls back when it throws. */
  transaction<T>(work: (transaction: Transaction) => T): T {
    const transaction = this.begin();
    let done: T;
    try {
      done = work(transaction);
      if (isPromise(done)) throw new TypeError("the function of a transaction must not be async: host calls are synchronous");
    } catch (error) {
      try {
        transaction.rollback();
      } catch {
        // What was thrown first tells what happened, and the end of the invocation rolls back as well.
      }
      throw error;
    }
    transaction.commit();
    return done;
  }
}

/** An open transaction. Not committed, it is rolled back at the end of the invocation at the latest. */
export class Transaction extends Statements<WitTransaction> {
  private open = true;

  /** Makes the changes last. */
  commit(): void {
    this.end(() => this.host.commit());
  }

  /** Takes the changes back. */
  rollback(): void {
    this.end(() => this.host.rollback());
  }

  /** Rolls back what was not committed; for `using tx = db.begin()`. */
  [Symbol.dispose](): void {
    if (!this.open) return;
    this.open = false;
    this.host[Symbol.dispose]();
  }

  private end(how: () => void): void {
    calling(how, fromHost);
    if (!this.open) return;
    this.open = false;
    this.host[Symbol.dispose]();
  }
}

function isPromise(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
