// Outbound requests. Needs `grants.http`, which says for which hosts, methods and paths; https only.

import { send } from "santokit:http/http@0.1.0";
import { ownBytes } from "./border.ts";
import { HostError, LogicError } from "./error.ts";
import { decode, encode } from "./utf8.ts";

/**
 * Why a request has no answer: `denied` (not granted), `address` (the host is where nothing is ever sent), `invalid`, `transaction`
 * (one on SQLite is open), `timeout`, `unreachable`, `redirects`, `answer`, `limit`; `status` of `ok()` and `decode` of `json()` are
 * of this SDK. Others may come.
 */
export type HttpErrorCode = string;

/** A request has no answer. Not caught, it becomes a `LogicError` that tells the caller a code, and not whom the logic asked. */
export class HttpError extends HostError {
  override readonly name = "HttpError";
  readonly code: HttpErrorCode;

  constructor(code: HttpErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  override toLogicError(): LogicError {
    switch (this.code) {
      case "limit":
        return new LogicError("HTTP_LIMIT", "the logic asked for more data than it may read");
      case "timeout":
        return new LogicError("HTTP_TIMEOUT", "another service took too long");
      case "unreachable":
        return new LogicError("HTTP_UNAVAILABLE", "another service cannot be reached now");
      case "denied":
      case "address":
        return new LogicError("HTTP_DENIED", "the logic may not ask this of another service");
      case "invalid":
      case "transaction":
        return new LogicError("HTTP_INVALID", "the logic made a mistake with a request");
      default:
        return new LogicError("HTTP_ERROR", "another service did not answer as expected");
    }
  }
}

/** What goes with a request. */
export interface Options {
  /** Names and values; a name may stand several times. */
  headers?: readonly (readonly [string, string])[] | Readonly<Record<string, string>>;
  /** `Authorization: Bearer …`. It goes to no other host, also where the answer redirects there. */
  bearer?: string;
  /** The body as it is. */
  body?: string | Uint8Array;
  /** The body as JSON, with its `Content-Type`. */
  json?: unknown;
  /** Milliseconds for all of it; never more than the invocation has left. */
  timeout?: number;
  /** `manual`: the redirect is the answer. Otherwise five are followed, each to what is granted. */
  redirect?: "follow" | "manual";
}

/** What came back, all of it. Whatever its status is, an answer is no error; `ok()` makes one of it. */
export class Answer {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: readonly (readonly [string, string])[];
  /** The body. */
  readonly bytes: Uint8Array;
  /** Of the last request, where redirects were followed. */
  readonly url: string;

  /** @internal */
  constructor(status: number, headers: [string, string][], bytes: Uint8Array, url: string) {
    this.status = status;
    this.headers = headers;
    this.bytes = bytes;
    this.url = url;
  }

  /** Itself where the status is one of success; an `HttpError` with the code `status` where not. */
  ok(): this {
    if (this.status < 200 || this.status > 299) throw new HttpError("status", `http status ${this.status}`);
    return this;
  }

  /** The first header of a name, in whichever letters. */
  header(name: string): string | null {
    const small = name.toLowerCase();
    return this.headers.find(([found]) => found === small)?.[1] ?? null;
  }

  /** The body as UTF-8. */
  text(): string {
    return decode(this.bytes);
  }

  /** The body read as JSON. */
  json<T = unknown>(): T {
    try {
      return JSON.parse(this.text()) as T;
    } catch (error) {
      throw new HttpError("decode", `a body is not what was asked for: ${(error as Error).message}`);
    }
  }
}

/**
 * Sends a request and reads the whole answer.
 *
 * ```ts
 * const key = secrets.get("STRIPE_KEY");
 * const answer = http.post("https://api.stripe.com/v1/charges", { bearer: key, json: { amount: 300 } });
 * const charge = answer.ok().json<{ id: string }>();
 * ```
 *
 * Nothing is sent while a transaction on SQLite is open.
 */
export function request(method: string, url: string, options: Options = {}): Answer {
  const headers = listed(options.headers);
  if (options.bearer !== undefined) headers.push(["authorization", `Bearer ${options.bearer}`]);
  let body = typeof options.body === "string" ? encode(options.body) : (options.body ?? new Uint8Array(0));
  if (options.json !== undefined) {
    body = encode(JSON.stringify(options.json));
    headers.push(["content-type", "application/json"]);
  }
  const sent = {
    method,
    url,
    headers,
    body,
    timeout: options.timeout === undefined ? undefined : Math.ceil(options.timeout),
    options: (options.redirect === undefined ? [] : [["redirect", options.redirect]]) as [string, string][],
  };
  const answer = sending(() => send(sent));
  return new Answer(answer.status, answer.headers, ownBytes(answer.body), answer.url);
}

/** A `GET` of a URL. */
export function get(url: string, options?: Options): Answer {
  return request("GET", url, options);
}

/** A `POST` to a URL. */
export function post(url: string, options?: Options): Answer {
  return request("POST", url, options);
}

/** A `PUT` to a URL. */
export function put(url: string, options?: Options): Answer {
  return request("PUT", url, options);
}

/** A `PATCH` of a URL. */
export function patch(url: string, options?: Options): Answer {
  return request("PATCH", url, options);
}

function remove(url: string, options?: Options): Answer {
  return request("DELETE", url, options);
}

/** A `DELETE` of a URL. */
export { remove as delete };

function listed(headers: Options["headers"] = []): [string, string][] {
  const entries = Array.isArray(headers) ? headers : Object.entries(headers as Record<string, string>);
  return entries.map(([name, value]: readonly [string, string]) => [name, value]);
}

/** The engines throw an `Error` with the record as its `payload`, or the record itself. */
function sending<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const said = ((error as { payload?: unknown } | null)?.payload ?? error) as { code?: unknown; message?: unknown } | null;
    if (typeof said?.code !== "string") throw error;
    throw new HttpError(said.code, `http ${said.code}: ${said.message}`);
  }
}
