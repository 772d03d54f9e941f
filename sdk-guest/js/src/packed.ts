// The packed form of rows, format 1 (described in sql.wit), as JavaScript values.

import type { WitBatch } from "santokit:sql/connections@0.1.0";
import { ownBytes } from "./border.ts";
import { binaryToText, toBinary } from "./utf8.ts";

/**
 * A value of a row. Integers are numbers where that is exact and `bigint` beyond; decimals and timestamps are strings;
 * JSON columns are parsed. SQLite has no boolean: raw SQL gives 0 and 1 there.
 */
// deno-lint-ignore no-explicit-any
export type Cell = any;

/** The format this version can read. */
const FORMAT = 1;
const TWO_32 = 2 ** 32;

/** Reads the rows of a batch as objects by column name. */
export function unpack<T>(names: readonly string[], batch: WitBatch): T[] {
  const cells = new Reader(batch);
  const rows: T[] = [];
  for (let row = 0; row < batch.rows; row++) {
    const object: Record<string, Cell> = {};
    for (const name of names) object[name] = cells.next();
    rows.push(object as T);
  }
  return rows;
}

class Reader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  /** All bytes as characters, once: slicing a string is much cheaper here than a call per cell. */
  private readonly binary: string;
  private at = 0;

  constructor(batch: WitBatch) {
    if (batch.format !== FORMAT) {
      throw new RangeError(
        `the host packs rows in format ${batch.format}, this @santokit/guest reads format ${FORMAT}: build with a newer stk`,
      );
    }
    const data = ownBytes(batch.data);
    this.bytes = data;
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.binary = toBinary(data);
  }

  next(): Cell {
    const tag = this.view.getUint8(this.at++);
    switch (tag) {
      case 0:
        return null;
      case 1:
        return false;
      case 2:
        return true;
      case 3:
        return this.integer();
      case 4: {
        const value = this.view.getFloat64(this.at, true);
        this.at += 8;
        return value;
      }
      case 5:
        return this.text();
      case 6: {
        const length = this.length();
        this.at += length;
        return this.bytes.slice(this.at - length, this.at);
      }
      case 7:
        return typedValue(this.text(), this.text());
      default:
        throw new RangeError(`unknown tag ${tag} in packed rows`);
    }
  }

  private integer(): number | bigint {
    const low = this.view.getUint32(this.at, true);
    const high = this.view.getInt32(this.at + 4, true);
    this.at += 8;
    const value = high * TWO_32 + low;
    return Number.isSafeInteger(value) ? value : BigInt(high) * BigInt(TWO_32) + BigInt(low);
  }

  private length(): number {
    const length = this.view.getUint32(this.at, true);
    this.at += 4;
    if (this.at + length > this.bytes.length) throw new RangeError("packed rows are cut short");
    return length;
  }

  private text(): string {
    const length = this.length();
    const start = this.at;
    this.at += length;
    return binaryToText(this.binary.slice(start, this.at));
  }
}

function typedValue(type: string, text: string): Cell {
  switch (type) {
    case "bigint":
    case "int": {
      const number = Number(text);
      return Number.isSafeInteger(number) ? number : BigInt(text);
    }
    case "float":
      return Number(text);
    case "json":
    case "array":
      return JSON.parse(text);
    default:
      return text;
  }
}
