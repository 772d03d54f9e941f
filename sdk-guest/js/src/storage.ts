// Objects in the project's buckets. Needs `grants.storage`, which says for which bucket, keys and ops.

import * as host from "santokit:storage/storage@0.1.0";
import { fromWide, ownBytes, toWide, type Wide } from "./border.ts";
import { HostError, LogicError } from "./error.ts";
import { decode, encode } from "./utf8.ts";

/** Objects of a page of a list. */
const PAGE = 1000;
/** Bytes that go over the border at once. */
const PART = 1 << 20;

/**
 * Why something was not done: `denied` (not granted), `invalid`, `missing`, `precondition` (the object is not as was asked for),
 * `checksum`, `too-large`, `full`, `unavailable`, `limit`. Others may come.
 */
export type StorageErrorCode = string;

/** Something was not done. Not caught, it becomes a `LogicError` that tells the caller a code, and not which object it was. */
export class StorageError extends HostError {
  override readonly name = "StorageError";
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  override toLogicError(): LogicError {
    switch (this.code) {
      case "limit":
        return new LogicError("STORAGE_LIMIT", "the logic asked for more data than it may");
      case "unavailable":
      case "full":
        return new LogicError("STORAGE_UNAVAILABLE", "objects cannot be reached now");
      case "denied":
        return new LogicError("STORAGE_DENIED", "the logic may not do this to an object");
      case "missing":
        return new LogicError("STORAGE_MISSING", "there is no such object");
      case "precondition":
        return new LogicError("STORAGE_CONFLICT", "the object was changed meanwhile");
      case "too-large":
        return new LogicError("STORAGE_TOO_LARGE", "the object is too large");
      default:
        return new LogicError("STORAGE_INVALID", "the logic made a mistake with an object");
    }
  }
}

/** What is known of an object. */
export interface Stat {
  /** Its name, in normal form C. */
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Another one for each content. For `ifMatch`. */
  readonly etag: string;
  /** As it was said when it was written; `application/octet-stream` where nothing was. */
  readonly contentType: string;
  /** When it was written. */
  readonly modified: Date;
}

/** How an object is written. */
export interface PutOptions {
  /** What it is, as in `image/png`. */
  contentType?: string;
  /** Only where there is none. */
  onlyNew?: boolean;
  /** Only in the place of the one with this etag. */
  ifMatch?: string;
  /** The SHA-256 of all bytes, as hex. */
  sha256?: string;
}

/** What a URL at which an object is read is asked with. */
export interface GetUrlOptions {
  /** Seconds; as long as the env's URLs may live where it is not said. */
  expiresIn?: number;
  /** The name under which browsers save it, in place of showing it. */
  saveAs?: string;
}

/** What a URL at which an object is put is asked with. */
export interface PutUrlOptions extends Pick<PutOptions, "contentType" | "onlyNew" | "sha256"> {
  /** Seconds; as long as the env's URLs may live where it is not said. */
  expiresIn?: number;
  /** Exactly so many bytes. A store of S3 needs it. */
  size?: number;
}

/** A URL for one deed with one object. It is a credential: hand it to nobody else, and log it nowhere. */
export interface SignedUrl {
  /** Whole. */
  readonly url: string;
  /** `GET` or `PUT`. */
  readonly method: string;
  /** What must be sent with it. */
  readonly headers: Record<string, string>;
  /** When it ends. */
  readonly expires: Date;
}

/** A whole object. */
export class StoredObject {
  /** What is known of it. */
  readonly stat: Stat;
  /** Its bytes. */
  readonly bytes: Uint8Array;

  /** @internal */
  constructor(stat: Stat, bytes: Uint8Array) {
    this.stat = stat;
    this.bytes = bytes;
  }

  /** Its bytes as UTF-8. */
  text(): string {
    return decode(this.bytes);
  }
}

/**
 * An object that is read in parts; the same one to the end, also where another is written in its place. A `for` loop over it closes it; who
 * reads otherwise closes it with `close()`, or `using`: at most 16 objects are open at once.
 */
export class Reader {
  /** What is known of it. */
  readonly stat: Stat;
  readonly #inner: host.Reader;
  #open = true;

  /** @internal */
  constructor(inner: host.Reader) {
    this.#inner = inner;
    this.stat = known(doing(() => inner.stat()));
  }

  /** Bytes from a place on: at most a mebibyte, and fewer than were asked for only at the end. */
  readAt(offset: number, length: number): Uint8Array {
    return ownBytes(doing(() => this.#inner.read(toWide(offset), Math.min(length, PART))));
  }

  /** All of it, part by part. */
  *[Symbol.iterator](): Generator<Uint8Array> {
    try {
      for (let at = 0; at < this.stat.size; ) {
        const part = this.readAt(at, PART);
        at += part.length;
        yield part;
      }
    } finally {
      this.close();
    }
  }

  /** Ends reading. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#inner[Symbol.dispose]();
  }

  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** An object that is written in parts. Without `finish()` nothing is written; `close()`, or `using`, gives up. */
export class Writer {
  readonly #inner: host.Writer;
  #open = true;

  /** @internal */
  constructor(inner: host.Writer) {
    this.#inner = inner;
  }

  /** Adds bytes, in as many parts as it takes. */
  write(bytes: string | Uint8Array): void {
    const all = typeof bytes === "string" ? encode(bytes) : bytes;
    for (let at = 0; at < all.length; at += PART) doing(() => this.#inner.write(all.subarray(at, at + PART)));
  }

  /** Puts it in its place. */
  finish(): Stat {
    try {
      return known(doing(() => this.#inner.finish()));
    } finally {
      this.close();
    }
  }

  /** Gives up what is not finished. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#inner[Symbol.dispose]();
  }

  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * A bucket by its alias. Whether it is granted is seen when it is used.
 *
 * ```ts
 * const receipts = storage.bucket("receipts");
 * receipts.put("anna/42.pdf", pdf, { contentType: "application/pdf" });
 * const receipt = receipts.get("anna/42.pdf");
 * for (const object of receipts.list("anna/")) log.info(object.key);
 * ```
 *
 * What was written or removed stays so, whatever becomes of the invocation and its transactions.
 */
export function bucket(name: string): Bucket {
  return new Bucket(name);
}

/** A bucket. */
export class Bucket {
  /** Its alias. */
  readonly name: string;

  /** @internal */
  constructor(name: string) {
    this.name = name;
  }

  /** A whole object; null where there is none. */
  get(key: string): StoredObject | null {
    try {
      const found = doing(() => host.get(this.name, key));
      return new StoredObject(known(found.stat), ownBytes(found.body));
    } catch (error) {
      if (error instanceof StorageError && error.code === "missing") return null;
      throw error;
    }
  }

  /** What is known of an object; null where there is none. */
  stat(key: string): Stat | null {
    const found = doing(() => host.stat(this.name, key));
    return found === undefined || found === null ? null : known(found);
  }

  /** An object to be read in parts. */
  open(key: string): Reader {
    return new Reader(doing(() => host.open(this.name, key)));
  }

  /** Writes a whole object in the place of what was there. */
  put(key: string, body: string | Uint8Array, options: PutOptions = {}): Stat {
    const bytes = typeof body === "string" ? encode(body) : body;
    return known(doing(() => host.put(this.name, key, bytes, pairs(options))));
  }

  /** Writes an object in parts. */
  create(key: string, options: PutOptions = {}): Writer {
    return new Writer(doing(() => host.create(this.name, key, pairs(options))));
  }

  /**
   * A URL at which others read an object, without a credential, until it expires. Whether there is one is not looked at. Needs the op `presign`
   * beside `get`.
   */
  presignGet(key: string, options: GetUrlOptions = {}): SignedUrl {
    const asked = lives(options.expiresIn);
    if (options.saveAs !== undefined) asked.push(["save-as", options.saveAs]);
    return signed(doing(() => host.presignGet(this.name, key, asked)));
  }

  /** A URL at which others put an object. Needs the op `presign` beside `put`. */
  presignPut(key: string, options: PutUrlOptions = {}): SignedUrl {
    const asked = [...lives(options.expiresIn), ...pairs(options)];
    if (options.size !== undefined) asked.push(["size", String(options.size)]);
    return signed(doing(() => host.presignPut(this.name, key, asked)));
  }

  /** The objects whose keys begin so, in the order of the bytes of their keys. */
  *list(prefix = ""): Generator<Stat> {
    let cursor: string | undefined;
    do {
      const page = doing(() => host.listObjects(this.name, prefix, PAGE, cursor));
      for (const found of page.objects) yield known(found);
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
  }

  /** Removes an object; false where there was none. */
  delete(key: string, options: { ifMatch?: string } = {}): boolean {
    return doing(() => host.remove(this.name, key, pairs(options)));
  }
}

function pairs(options: PutOptions): [string, string][] {
  const found: [string, string][] = [];
  if (options.contentType !== undefined) found.push(["content-type", options.contentType]);
  if (options.onlyNew === true) found.push(["if-none-match", "*"]);
  if (options.ifMatch !== undefined) found.push(["if-match", options.ifMatch]);
  if (options.sha256 !== undefined) found.push(["sha-256", options.sha256]);
  return found;
}

function lives(seconds: number | undefined): [string, string][] {
  return seconds === undefined ? [] : [["expires-in", String(seconds)]];
}

function signed(found: { url: string; method: string; headers: [string, string][]; expires: Wide }): SignedUrl {
  const headers: Record<string, string> = {};
  for (const [name, value] of found.headers) headers[name] = value;
  return { url: found.url, method: found.method, headers, expires: new Date(fromWide(found.expires)) };
}

function known(stat: { key: string; size: Wide; etag: string; contentType: string; modified: Wide }): Stat {
  const { key, etag, contentType } = stat;
  return { key, size: fromWide(stat.size), etag, contentType, modified: new Date(fromWide(stat.modified)) };
}

/** The engines throw an `Error` with the record as its `payload`, or the record itself. */
function doing<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const said = ((error as { payload?: unknown } | null)?.payload ?? error) as { code?: unknown; message?: unknown } | null;
    if (typeof said?.code !== "string") throw error;
    throw new StorageError(said.code, `storage ${said.code}: ${said.message}`);
  }
}
