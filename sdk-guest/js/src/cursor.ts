// Large results, read in parts. It knows no interface but the cursor's own: what reads declared queries imports no raw SQL.

import type { WitCursor } from "santokit:sql/connections@0.1.0";
import { calling } from "./error.ts";
import { type Cell, unpack } from "./packed.ts";
import { fromHost } from "./sql-error.ts";

/** A row as an object by column name, where no type is asked for. */
export type Row = Record<string, Cell>;

/** How much a cursor fetches at a time: enough to make the border cheap, little enough to stay small in memory. */
const BATCH_ROWS = 500;
const BATCH_BYTES = 256 * 1024;

/** Reads rows one by one, fetching them in batches. */
export class Cursor<T = Row> implements Iterable<T> {
  /** Names and types of the columns, in order. */
  readonly columns: readonly { name: string; typeName: string }[];
  private readonly host: WitCursor;
  private open = true;

  /** @internal */
  constructor(host: WitCursor) {
    this.host = host;
    this.columns = Array.from(host.columns(), ({ name, typeName }) => ({ name, typeName }));
  }

  *[Symbol.iterator](): Iterator<T> {
    const names = this.columns.map((column) => column.name);
    try {
      while (this.open) {
        const batch = calling(() => this.host.nextBatch(BATCH_ROWS, BATCH_BYTES), fromHost);
        if (batch === null || batch === undefined) return;
        yield* unpack<T>(names, batch);
      }
    } finally {
      this[Symbol.dispose]();
    }
  }

  /** Closes the cursor; a `for` loop does it by itself. */
  [Symbol.dispose](): void {
    if (!this.open) return;
    this.open = false;
    this.host[Symbol.dispose]();
  }
}
