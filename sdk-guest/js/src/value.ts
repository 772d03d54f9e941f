// Values that are bound to placeholders, and the form in which the border takes them.

import type { WitValue } from "santokit:sql/connections@0.1.0";
import { toWide } from "./border.ts";

/** A value whose type JavaScript has no word for: made by `decimal`, `timestamp`, `json`, `float`, `typed`. */
export class Typed {
  readonly type: string;
  readonly text: string;

  constructor(type: string, text: string) {
    this.type = type;
    this.text = text;
  }
}

/** A number that is bound as a float although it is a whole number. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/**
 * What can be bound. A whole number is bound as an integer, another one as a float; `bigint` reaches the database
 * whole; a `Date` is bound as a timestamp. Objects are not taken as JSON by themselves: say `json(value)`.
 */
export type Param = null | undefined | boolean | number | bigint | string | Uint8Array | Date | Typed | Float;

/** A decimal number, without losing a digit: `decimal("19.90")`. */
export function decimal(text: string): Typed {
  return new Typed("decimal", text);
}

/** A moment, as RFC 3339 text. */
export function timestamp(text: string): Typed {
  return new Typed("timestamp", text);
}

/** Any value, bound as JSON. */
export function json(value: unknown): Typed {
  return new Typed("json", JSON.stringify(value ?? null));
}

/** A number bound as a float even where it is whole. */
export function float(value: number): Float {
  return new Float(value);
}

/** Any type of the project's schema, as text. */
export function typed(type: string, text: string): Typed {
  return new Typed(type, text);
}

/** The border's form of the params. */
export function toWit(params: readonly Param[]): WitValue[] {
  return params.map(one);
}

function one(param: Param, index: number): WitValue {
  switch (typeof param) {
    case "undefined":
      return { tag: "null" };
    case "boolean":
      return { tag: "boolean", val: param };
    case "number":
      return Number.isSafeInteger(param) ? { tag: "int64", val: toWide(param) } : { tag: "float64", val: param };
    case "bigint":
      // QuickJS would lose digits in an `s64`: the type `bigint` carries it as text.
      return { tag: "typed", val: ["bigint", param.toString()] };
    case "string":
      return { tag: "text", val: param };
    case "object":
      if (param === null) return { tag: "null" };
      if (param instanceof Typed) return { tag: "typed", val: [param.type, param.text] };
      if (param instanceof Float) return { tag: "float64", val: param.value };
      if (param instanceof Uint8Array) return { tag: "bytes", val: param };
      if (param instanceof Date) return { tag: "typed", val: ["timestamp", param.toISOString()] };
  }
  throw new TypeError(`param ${index + 1} cannot be bound: it is ${describe(param)}; for JSON say sql.json(value)`);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
