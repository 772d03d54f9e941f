// Requests to the project's tables: the params, rules and answers of `POST /db/{table}/{verb}`. Needs `grants.crud`, which says for
// whom the tables are asked: `as: caller`, or `as: service` with roles of its own.

import {
  batch as hostBatch,
  delete as hostDelete,
  insert as hostInsert,
  select as hostSelect,
  update as hostUpdate,
} from "santokit:crud/crud@0.1.0";
import type { WitAnswer } from "santokit:crud/crud@0.1.0";
import type { WitTransaction } from "santokit:sql/connections@0.1.0";
import { ownBytes } from "./border.ts";
import { calling } from "./error.ts";
import { CrudError, fromHost } from "./crud-error.ts";
import { plain } from "./plain.ts";
import type { Transaction } from "./sql.ts";
import { decode, encode } from "./utf8.ts";

export { CrudError } from "./crud-error.ts";
export type { CrudErrorKind } from "./crud-error.ts";

/** A row as JSON has it: `bigint` and `decimal` are text, and so are times. */
export type Row = Record<string, unknown>;

/** Params, as in a request to the Bridge. */
export type Params = Readonly<Record<string, unknown>>;

/** Rows, and how they go on. */
export interface Page<T> {
  rows: T[];
  /** For the param `cursor` of the next request; undefined at the end. */
  nextCursor?: string;
  /** How many there are in all, where `count: true` asks for it. */
  total?: number;
}

/** A call of a batch: `{ path: "db/orders/insert", params: { … } }`. */
export interface Call {
  path: string;
  params?: Params;
}

/** What one call of a batch answers. */
export interface Answer {
  data: unknown;
  meta: Record<string, unknown>;
}

/** The functions of this module, of which each knows the tables of the project and their rows. */
export interface Declared<T> {
  /** See `crud.select`. */
  select<Name extends keyof T & string>(table: Name, params?: Params): T[Name][];
  /** See `crud.page`. */
  page<Name extends keyof T & string>(table: Name, params?: Params): Page<T[Name]>;
  /** See `crud.insert`. */
  insert<Name extends keyof T & string>(table: Name, params: Params): T[Name][];
  /** See `crud.update`. */
  update<Name extends keyof T & string>(table: Name, params: Params): number;
  /** See `crud.updateReturning`. */
  updateReturning<Name extends keyof T & string>(table: Name, params: Params): T[Name][];
  /** See `crud.delete`. */
  delete<Name extends keyof T & string>(table: Name, params: Params): number;
  /** See `crud.deleteReturning`. */
  deleteReturning<Name extends keyof T & string>(table: Name, params: Params): T[Name][];
  /** See `crud.batch`. */
  batch(calls: readonly Call[]): Answer[];
}

type Host = (table: string, params: Uint8Array, within: WitTransaction | undefined) => WitAnswer;

/** Requests, alone or in a transaction. */
export class Tables {
  private readonly transaction: WitTransaction | undefined;

  /** @internal */
  constructor(transaction?: WitTransaction) {
    this.transaction = transaction;
  }

  /** Reads rows. */
  select<T = Row>(table: string, params: Params = {}): T[] {
    return rows<T>(this.ask(hostSelect, table, params));
  }

  /** Reads rows, with the cursor for those that follow and the total. */
  page<T = Row>(table: string, params: Params = {}): Page<T> {
    const answer = this.ask(hostSelect, table, params);
    return { rows: rows<T>(answer), ...(read(answer.meta) as Omit<Page<T>, "rows">) };
  }

  /**
   * Adds rows: `{ data: { … } }`, or a list. The rows as they are now, as far as they may be read: none of a table that may not be read, or with
   * `returning: false`.
   */
  insert<T = Row>(table: string, params: Params): T[] {
    return added<T>(this.ask(hostInsert, table, params));
  }

  /** Changes rows: `{ where: { … }, data: { … } }`. How many. */
  update(table: string, params: Params): number {
    return affected(this.ask(hostUpdate, table, params));
  }

  /** The same; the rows as they are now. */
  updateReturning<T = Row>(table: string, params: Params): T[] {
    return rows<T>(this.ask(hostUpdate, table, { ...params, returning: true }));
  }

  /** Removes rows: `{ where: { … } }`. How many. */
  delete(table: string, params: Params): number {
    return affected(this.ask(hostDelete, table, params));
  }

  /** The same; the rows as they were. */
  deleteReturning<T = Row>(table: string, params: Params): T[] {
    return rows<T>(this.ask(hostDelete, table, { ...params, returning: true }));
  }

  /** Several calls, all or nothing. */
  batch(calls: readonly Call[]): Answer[] {
    const params = written({ calls });
    return read(calling(() => hostBatch(params, this.transaction), fromHost).data) as Answer[];
  }

  private ask(host: Host, table: string, params: Params): WitAnswer {
    const bytes = written(params);
    return calling(() => host(table, bytes, this.transaction), fromHost);
  }
}

const alone = /* @__PURE__ */ new Tables();

/**
 * Requests that belong to a transaction of `sql`: they see what it has done, and are undone with it. One that fails has done nothing,
 * and the transaction goes on. While one is open on a table's database, a request without it throws.
 */
export function within(transaction: Transaction): Tables {
  return new Tables((transaction as unknown as { host: WitTransaction }).host);
}

/**
 * The tables with the types of the project, which `stk` writes:
 *
 * ```ts
 * import type { Records } from "@santokit/project";
 * const tables = crud.declared<Records>();
 * const open = tables.select("orders", { where: { status: "open" } });
 * ```
 */
export function declared<T>(transaction?: Transaction): Declared<T> {
  return (transaction === undefined ? alone : within(transaction)) as unknown as Declared<T>;
}

/** Reads rows. */
export function select<T = Row>(table: string, params: Params = {}): T[] {
  return alone.select<T>(table, params);
}

/** Reads rows, with the cursor for those that follow and the total. */
export function page<T = Row>(table: string, params: Params = {}): Page<T> {
  return alone.page<T>(table, params);
}

/** Adds rows: `{ data: { … } }`, or a list. The rows as they are now, as far as they may be read. */
export function insert<T = Row>(table: string, params: Params): T[] {
  return alone.insert<T>(table, params);
}

/** Changes rows: `{ where: { … }, data: { … } }`. How many. */
export function update(table: string, params: Params): number {
  return alone.update(table, params);
}

/** The same; the rows as they are now. */
export function updateReturning<T = Row>(table: string, params: Params): T[] {
  return alone.updateReturning<T>(table, params);
}

/** Removes rows: `{ where: { … } }`. How many. As `crud.delete`. */
export function remove(table: string, params: Params): number {
  return alone.delete(table, params);
}

export { remove as delete };

/** The same; the rows as they were. */
export function deleteReturning<T = Row>(table: string, params: Params): T[] {
  return alone.deleteReturning<T>(table, params);
}

/** Several calls, all or nothing. */
export function batch(calls: readonly Call[]): Answer[] {
  return alone.batch(calls);
}

function written(params: unknown): Uint8Array {
  return encode(JSON.stringify(params, plain));
}

function read(bytes: Uint8Array): unknown {
  return JSON.parse(decode(ownBytes(bytes)));
}

/** Rows that were added and may not be read are answered as a number; they are there, so that this is no error. */
function added<T>(answer: WitAnswer): T[] {
  const data = read(answer.data);
  return Array.isArray(data) ? (data as T[]) : [];
}

function rows<T>(answer: WitAnswer): T[] {
  const data = read(answer.data);
  if (!Array.isArray(data)) throw new CrudError("invalid", "the answer has no rows: leave returning: false out");
  return data as T[];
}

function affected(answer: WitAnswer): number {
  const data = read(answer.data) as { affected?: number };
  if (data.affected === undefined) throw new CrudError("invalid", "the answer has rows: take updateReturning or deleteReturning");
  return data.affected;
}
