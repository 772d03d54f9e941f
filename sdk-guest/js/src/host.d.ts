// The WIT packages as the engines show them to JavaScript. Only this SDK imports them.
// `s64` and `u64` are numbers in QuickJS, where a BigInt traps, and `bigint` in StarlingMonkey: see border.ts.

declare module "santokit:runtime/log@0.1.0" {
  export function log(level: string, message: string, fields: [string, string][]): void;
}

declare module "santokit:runtime/clock@0.1.0" {
  export function now(): { seconds: number | bigint; nanoseconds: number };
  export function elapsed(): number | bigint;
  export function remaining(): number;
}

declare module "santokit:runtime/random@0.1.0" {
  export function bytes(length: number): Uint8Array;
}

declare module "santokit:runtime/context@0.1.0" {
  export function getCaller(): { kind: string; subject: string | null; roles: string[]; claims: Uint8Array };
  export function getInvocation(): {
    requestId: string;
    logic: string;
    project: string;
    env: string;
    releaseId: string;
    trigger: string;
  };
}

declare module "santokit:runtime/config@0.1.0" {
  export function get(name: string): string | null;
}

declare module "santokit:runtime/secrets@0.1.0" {
  export function get(name: string): string;
}

declare module "santokit:sql/connections@0.1.0" {
  export type WitValue =
    | { tag: "null" }
    | { tag: "boolean"; val: boolean }
    | { tag: "int64"; val: number | bigint }
    | { tag: "float64"; val: number }
    | { tag: "text"; val: string }
    | { tag: "bytes"; val: Uint8Array }
    | { tag: "typed"; val: [string, string] };

  export interface WitColumn {
    name: string;
    typeName: string;
  }

  export interface WitBatch {
    rows: number;
    format: number;
    data: Uint8Array;
  }

  export interface WitStatements {
    queryPacked(sql: string, params: WitValue[]): { columns: WitColumn[]; batch: WitBatch };
    execute(sql: string, params: WitValue[]): number | bigint;
    openCursor(sql: string, params: WitValue[]): WitCursor;
    [Symbol.dispose](): void;
  }

  export interface WitConnection extends WitStatements {
    engine(): string;
    begin(options: [string, string][]): WitTransaction;
  }

  export interface WitTransaction extends WitStatements {
    commit(): void;
    rollback(): void;
  }

  export interface WitCursor {
    columns(): WitColumn[];
    nextBatch(maxRows: number, maxBytes: number): WitBatch | null;
    [Symbol.dispose](): void;
  }

  export function open(name: string): WitConnection;
}

declare module "santokit:queries/queries@0.1.0" {
  import type { WitBatch, WitColumn, WitCursor, WitValue } from "santokit:sql/connections@0.1.0";

  export interface WitQueryTransaction {
    commit(): void;
    rollback(): void;
    [Symbol.dispose](): void;
  }

  export function many(name: string, params: [string, WitValue][]): { columns: WitColumn[]; batch: WitBatch };
  export function one(name: string, params: [string, WitValue][]): { columns: WitColumn[]; batch: WitBatch };
  export function execute(name: string, params: [string, WitValue][]): number | bigint;
  export function openCursor(name: string, params: [string, WitValue][]): WitCursor;
  export function begin(connection: string, options: [string, string][]): WitQueryTransaction;
}

declare module "santokit:crud/crud@0.1.0" {
  import type { WitTransaction } from "santokit:sql/connections@0.1.0";

  export interface WitAnswer {
    data: Uint8Array;
    meta: Uint8Array;
  }

  type Within = WitTransaction | undefined;

  export function select(table: string, params: Uint8Array, within: Within): WitAnswer;
  export function insert(table: string, params: Uint8Array, within: Within): WitAnswer;
  export function update(table: string, params: Uint8Array, within: Within): WitAnswer;
  function remove(table: string, params: Uint8Array, within: Within): WitAnswer;
  export { remove as delete };
  export function batch(params: Uint8Array, within: Within): WitAnswer;
}

declare module "santokit:events/events@0.1.0" {
  import type { WitTransaction } from "santokit:sql/connections@0.1.0";

  export function publish(topic: string, payload: Uint8Array, within: WitTransaction | undefined): string;
}

declare module "santokit:events/once@0.1.0" {
  import type { WitTransaction } from "santokit:sql/connections@0.1.0";

  export function isDone(key: string, within: WitTransaction | undefined): boolean;
  export function markDone(key: string, within: WitTransaction | undefined): void;
}

declare module "santokit:http/http@0.1.0" {
  export interface WitRequest {
    method: string;
    url: string;
    headers: [string, string][];
    body: Uint8Array;
    timeout: number | undefined;
    options: [string, string][];
  }

  export function send(request: WitRequest): { status: number; headers: [string, string][]; body: Uint8Array; url: string };
}

declare module "santokit:logics/logics@0.1.0" {
  export function call(name: string, params: Uint8Array): Uint8Array;
}

declare module "santokit:storage/storage@0.1.0" {
  type Wide = number | bigint;

  export interface WitStat {
    key: string;
    size: Wide;
    etag: string;
    contentType: string;
    modified: Wide;
  }

  export interface Reader {
    stat(): WitStat;
    read(offset: Wide, length: number): Uint8Array;
    [Symbol.dispose](): void;
  }

  export interface Writer {
    write(part: Uint8Array): void;
    finish(): WitStat;
    [Symbol.dispose](): void;
  }

  type Pairs = [string, string][];

  export interface WitSignedUrl {
    url: string;
    method: string;
    headers: Pairs;
    expires: Wide;
  }

  export function presignGet(bucket: string, key: string, options: Pairs): WitSignedUrl;
  export function presignPut(bucket: string, key: string, options: Pairs): WitSignedUrl;
  export function get(bucket: string, key: string): { stat: WitStat; body: Uint8Array };
  export function stat(bucket: string, key: string): WitStat | undefined;
  export function open(bucket: string, key: string): Reader;
  export function put(bucket: string, key: string, body: Uint8Array, options: Pairs): WitStat;
  export function create(bucket: string, key: string, options: Pairs): Writer;
  export function listObjects(
    bucket: string,
    prefix: string,
    limit: number,
    cursor: string | undefined,
  ): { objects: WitStat[]; next: string | undefined };
  export function remove(bucket: string, key: string, options: Pairs): boolean;
}

// Globals that TypeScript knows from the DOM only. `btoa` is native; the others are those of globals.ts.

declare function btoa(binary: string): string;

declare var console: Record<"log" | "info" | "debug" | "warn" | "error", (...values: unknown[]) => void>;

declare var crypto: {
  getRandomValues<T extends Uint8Array>(array: T): T;
  randomUUID(): string;
};

declare class TextEncoder {
  readonly encoding: string;
  encode(value?: string): Uint8Array;
}

declare class TextDecoder {
  constructor(label?: "utf-8", options?: { ignoreBOM?: boolean });
  readonly encoding: string;
  decode(value?: Uint8Array): string;
}
