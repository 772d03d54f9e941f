/**
 * Tests in the language of the logic, run in the sandbox: `stk logic test` makes a component of the files `*.test.ts` and
 * `*.test.js` beside a logic. Each test has an instance and databases of its own, and the grants and limits of its logic.
 *
 * ```ts
 * import { call, expect, test } from "@santokit/guest/test";
 * import handler from "./index.ts";
 *
 * test("has a price", { given: { rows: { products: [{ id: "p-1", priceCents: 990 }] } } }, () => {
 *   expect(call(handler, { productId: "p-1" })).toEqual({ totalCents: 990 });
 * });
 * ```
 */

import { LogicError } from "./error.ts";
import type { Logic } from "./logic.ts";
import { sourceStack } from "./stack.ts";
import { decode, encode } from "./utf8.ts";

/** What is there before a test, as in a file of cases. */
export interface Given {
  /** Rows by table, each value in the JSON form of its column's type. */
  rows?: Record<string, Record<string, unknown>[]>;
  /** Seed files of the project. */
  seed?: string[];
  /** Configuration values. */
  config?: Record<string, string>;
  /** Secrets: all that the logic is granted. */
  secrets?: Record<string, string>;
  /** Where the clock stands, as RFC 3339. */
  now?: string;
  /** What random numbers are made from. */
  randomSeed?: number;
}

/** Who calls. */
export type Caller =
  | "anonymous"
  | { apiKey: string[] }
  | { user: { subject: string; roles?: string[]; claims?: Record<string, unknown> } };

/** How a test is run. */
export interface Options {
  given?: Given;
  as?: Caller;
}

/** What is said of a value. */
export interface Expectation {
  /** The same value, as `Object.is` sees it. */
  toBe(expected: unknown): void;
  /** The same content: maps and lists member by member. */
  toEqual(expected: unknown): void;
  /** A text with this in it, or a list with this among its items. */
  toContain(part: unknown): void;
  /** A function that throws; with a text, a `LogicError` of this code or an error whose message holds it. */
  toThrow(expected?: string): void;
}

interface Test {
  name: string;
  options: Options;
  body: () => void;
  /** Knows the place; read late, because the table of lines stands behind the bundle. */
  made: Error;
}

class Mismatch extends Error {
  readonly sides: { expected: unknown; got: unknown };

  constructor(message: string, expected: unknown, got: unknown) {
    super(message);
    this.sides = { expected, got };
  }
}

const tests: Test[] = [];
const PLACE = /([^\s()]+\.test\.[cm]?[jt]s):(\d+)/;

/** A test. The body is not `async`: host calls are synchronous. */
export function test(name: string, body: () => void): void;
export function test(name: string, options: Options, body: () => void): void;
export function test(name: string, second: Options | (() => void), third?: () => void): void {
  const [options, body] = typeof second === "function" ? [{}, second] : [second, third];
  if (body === undefined) throw new TypeError(`the test ${JSON.stringify(name)} has no function`);
  tests.push({ name, options, body, made: new Error() });
}

/** Runs a logic's handler on an input, as after the check of its params: defaults are not filled in. */
export function call<Output = unknown>(logic: Logic, input: unknown): Output {
  let output: Uint8Array;
  try {
    output = logic.handle(encode(JSON.stringify(input) ?? "null"));
  } catch (error) {
    const said = error as { code?: string; message?: string; details?: Uint8Array | null } | null;
    if (typeof said?.code !== "string") throw new Error("the handler failed; its log says why");
    const details: unknown = said.details ? JSON.parse(decode(said.details)) : undefined;
    throw new LogicError(said.code, said.message ?? "", details);
  }
  return JSON.parse(decode(output)) as Output;
}

/** Begins an assertion. */
export function expect(got: unknown): Expectation {
  return {
    toBe(expected) {
      if (!Object.is(got, expected)) throw new Mismatch("it is another value", expected, got);
    },
    toEqual(expected) {
      if (!equal(expected, got)) throw new Mismatch("the content differs", expected, got);
    },
    toContain(part) {
      const holds = typeof got === "string" ? got.includes(String(part)) : Array.isArray(got) && got.some((item) => equal(part, item));
      if (!holds) throw new Mismatch("it does not hold this", part, got);
    },
    toThrow(expected) {
      const thrown = caught(got);
      if (thrown === undefined) throw new Mismatch("it does not throw", expected ?? "an error", "nothing");
      const { code, message } = thrown.error as { code?: unknown; message?: unknown };
      if (expected === undefined || code === expected || String(message ?? thrown.error).includes(expected)) return;
      throw new Mismatch("it throws another error", expected, code ?? message ?? String(thrown.error));
    },
  };
}

function caught(body: unknown): { error: unknown } | undefined {
  if (typeof body !== "function") throw new TypeError("toThrow is of a function: expect(() => …).toThrow()");
  try {
    body();
    return undefined;
  } catch (error) {
    // Whatever can be thrown can be asked for a code, but for null and undefined.
    return { error: error ?? new Error(String(error)) };
  }
}

function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Date) return a.getTime() === (b as Date).getTime();
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false;
  const [left, right] = [Object.keys(a), Object.keys(b)];
  if (left.length !== right.length) return false;
  return left.every((key) => Object.hasOwn(b, key) && equal(a[key as keyof typeof a], b[key as keyof typeof b]));
}

/** @internal What the component of the tests exports: told no number it lists them, told one it runs that test. */
export const suite: Logic = {
  handle(bytes: Uint8Array): Uint8Array {
    const { test: number } = JSON.parse(decode(bytes)) as { test?: number };
    if (number === undefined) return encode(JSON.stringify(tests.map(listed)));
    const chosen = tests[number];
    if (chosen === undefined) throw { code: "NO_TEST", message: "there is no such test", details: null };
    try {
      const done: unknown = chosen.body();
      if (typeof (done as { then?: unknown } | undefined)?.then === "function") {
        throw new TypeError("a test must not be async: host calls are synchronous, nothing would wait for it");
      }
    } catch (error) {
      throw failed(error);
    }
    return encode("null");
  },
};

function listed({ name, options, made }: Test): unknown {
  const [, file, line] = PLACE.exec(sourceStack(made)) ?? [];
  return { name, file, line: Number(line ?? 1), given: options.given, as: options.as };
}

function failed(thrown: unknown): unknown {
  const error = thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`);
  const code = error instanceof LogicError ? `${error.code}: ` : "";
  const sides = error instanceof Mismatch ? error.sides : {};
  const message = error instanceof Mismatch ? error.message : `${error.name}: ${code}${error.message}`;
  const details = encode(JSON.stringify({ ...sides, stack: sourceStack(error) }, plain));
  return { code: "TEST_FAILED", message, details };
}

/** What JSON has no word for is told as a text. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (value === undefined) return "undefined";
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value instanceof Uint8Array ? `bytes ${value.toBase64()}` : value;
}
