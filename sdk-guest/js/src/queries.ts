// Declared queries of the project (`queries/*.sql`), called by name. Needs `grants.queries` for each name, and no grant of SQL.

import {
  begin as hostBegin,
  execute as hostExecute,
  many as hostMany,
  one as hostOne,
  openCursor as hostOpenCursor,
} from "santokit:queries/queries@0.1.0";
import type { WitQueryTransaction } from "santokit:queries/queries@0.1.0";
import type { WitValue } from "santokit:sql/connections@0.1.0";
import { Cursor, type Row } from "./cursor.ts";
import { calling, type WitError } from "./error.ts";
import { unpack } from "./packed.ts";
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

/** Params of a query by name. */
export type Params = Readonly<Record<string, Param>>;

/** A query as `@santokit/project` describes it. */
export interface Description {
  params: object;
  row: unknown;
  returns: "many" | "one" | "exec";
}

type Named<Q, Returns> = { [Name in keyof Q]: Q[Name] extends { returns: Returns } ? Name : never }[keyof Q] & string;
type Sent<Q, Name extends keyof Q> = Q[Name] extends { params: infer P }
  ? Record<never, never> extends P ? [params?: P] : [params: P]
  : never;
type RowOf<Q, Name extends keyof Q> = Q[Name] extends { row: infer R } ? R : never;

/** The functions of this module, of which each knows the names, the params and the rows of the project's queries. */
export interface Declared<Q> {
  /** See `queries.many`. */
  many<Name extends Named<Q, "many">>(name: Name, ...params: Sent<Q, Name>): RowOf<Q, Name>[];
  /** See `queries.one`. */
  one<Name extends Named<Q, "one">>(name: Name, ...params: Sent<Q, Name>): RowOf<Q, Name>;
  /** See `queries.execute`. */
  execute<Name extends Named<Q, "exec">>(name: Name, ...params: Sent<Q, Name>): number;
  /** See `queries.cursor`. */
  cursor<Name extends Named<Q, "many">>(name: Name, ...params: Sent<Q, Name>): Cursor<RowOf<Q, Name>>;
}

/**
 * The queries with the types of the project, which `stk` writes:
 *
 * ```ts
 * import type { Queries } from "@santokit/project";
 * const project = queries.declared<Queries>();
 * const rows = project.many("stock/low", { below: 10 });
 * ```
 */
export function declared<Q extends Record<keyof Q, Description>>(): Declared<Q> {
  return { many, one, execute, cursor } as unknown as Declared<Q>;
}

/** Reads all rows of a query that returns many. */
export function many<T = Row>(name: string, params: Params = {}): T[] {
  const values = named(params);
  const packed = calling(() => hostMany(name, values), fromHost);
  return unpack<T>(packed.columns.map((column) => column.name), packed.batch);
}

/** Reads the row of a query that returns one; none or several throw, and then nothing was changed. */
export function one<T = Row>(name: string, params: Params = {}): T {
  const values = named(params);
  const packed = calling(() => hostOne(name, values), rowCount);
  return unpack<T>(packed.columns.map((column) => column.name), packed.batch)[0] as T;
}

/** Runs a query that returns `exec`; the number of rows affected. */
export function execute(name: string, params: Params = {}): number {
  const values = named(params);
  return fromWide(calling(() => hostExecute(name, values), fromHost));
}

/** Reads a large result of a query that returns many in parts: `for (const row of queries.cursor(…))`. */
export function cursor<T = Row>(name: string, params: Params = {}): Cursor<T> {
  const values = named(params);
  return new Cursor<T>(calling(() => hostOpenCursor(name, values), fromHost));
}

/**
 * Begins a transaction on a connection that a granted query is on. Queries of that connection belong to the innermost one.
 * Prefer `transaction`.
 */
export function begin(connection: string): Transaction {
  return new Transaction(calling(() => hostBegin(connection, []), fromHost));
}

/** Runs `work` in a transaction: commits when it returns, rolls back when it throws. */
export function transaction<T>(connection: string, work: () => T): T {
  const open = begin(connection);
  let done: T;
  try {
    done = work();
    if (typeof (done as { then?: unknown } | null | undefined)?.then === "function") {
      throw new TypeError("the function of a transaction must not be async: host calls are synchronous");
    }
  } catch (error) {
    try {
      open.rollback();
    } catch {
      // What was thrown first tells what happened, and the end of the invocation rolls back as well.
    }
    throw error;
  }
  open.commit();
  return done;
}

/** An open transaction. Not committed, it is rolled back at the end of the invocation at the latest. */
export class Transaction {
  private readonly host: WitQueryTransaction;
  private open = true;

  /** @internal */
  constructor(host: WitQueryTransaction) {
    this.host = host;
  }

  /** Makes the changes last. */
  commit(): void {
    this.end(() => this.host.commit());
  }

  /** Takes the changes back. */
  rollback(): void {
    this.end(() => this.host.rollback());
  }

  /** Rolls back what was not committed; for `using tx = queries.begin("main")`. */
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

function named(params: Params): [string, WitValue][] {
  const values = toWit(Object.values(params));
  return Object.keys(params).map((name, index) => [name, values[index] as WitValue]);
}

function rowCount(error: WitError): SqlError {
  const code = error.tag === "other" ? (error.val as [string, string])[0] : "";
  if (code === "NO_ROW") return new SqlError("rowCount", "one row was asked for, none came");
  if (code === "SEVERAL_ROWS") return new SqlError("rowCount", "one row was asked for, several came");
  return fromHost(error);
}
