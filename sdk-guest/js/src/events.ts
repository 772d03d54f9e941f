// Events of the project's topics. Needs `grants.events`, which lists the topics.
//
// An event is kept in the database beside the rows that it tells of: in a transaction it comes with the commit, and never without.

import { publish as hostPublish } from "santokit:events/events@0.1.0";
import type { WitTransaction } from "santokit:sql/connections@0.1.0";
import { ownBytes } from "./border.ts";
import { HostError, LogicError } from "./error.ts";
import { plain } from "./plain.ts";
import type { Transaction } from "./sql.ts";
import { decode, encode } from "./utf8.ts";

/** A payload: what `JSON.stringify` takes; `bigint` becomes a string, bytes become base64. */
export type Payload = Readonly<Record<string, unknown>>;

/**
 * An event was not published. Not caught, it becomes a `LogicError` that tells the caller a code. `code` is `denied` (not granted), `invalid`,
 * `schema` (the payload is not as its topic declares it), `too-large`, `rate`, `timeout` or `unavailable`. Others may come.
 */
export class EventError extends HostError {
  override readonly name = "EventError";
  readonly code: string;
  /** Of `schema`: `errors`, with `field` and `message` for each that does not fit. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, details = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }

  override toLogicError(): LogicError {
    switch (this.code) {
      case "denied":
        return new LogicError("EVENT_DENIED", "the logic may not publish this");
      case "rate":
        return new LogicError("EVENT_RATE", "too many events of this kind are published");
      case "timeout":
        return new LogicError("EVENT_TIMEOUT", "the database took too long");
      case "unavailable":
        return new LogicError("EVENT_UNAVAILABLE", "events cannot be published now");
      default:
        return new LogicError("EVENT_INVALID", "the logic made a mistake with an event");
    }
  }
}

/** Publishing in a transaction. */
export class Within {
  readonly #transaction: WitTransaction | undefined;

  /** @internal */
  constructor(transaction?: WitTransaction) {
    this.#transaction = transaction;
  }

  /** Publishes an event; its id. */
  publish(topic: string, payload: Payload): string {
    const bytes = encode(JSON.stringify(payload, plain));
    try {
      return hostPublish(topic, bytes, this.#transaction);
    } catch (error) {
      throw fromHost(error);
    }
  }
}

/**
 * Events that belong to a transaction of `sql`: they come when it is committed. While one is open on the event's database, publishing without
 * it throws.
 */
export function within(transaction: Transaction): Within {
  return new Within((transaction as unknown as { host: WitTransaction }).host);
}

/**
 * Publishes an event; its id. It belongs to the invocation's own transaction where the manifest says `transaction: required`; otherwise it is stored at
 * once.
 */
export function publish(topic: string, payload: Payload): string {
  return new Within().publish(topic, payload);
}

function fromHost(error: unknown): unknown {
  const said = ((error as { payload?: unknown } | null)?.payload ?? error) as
    { code?: unknown; message?: unknown; details?: Uint8Array } | null;
  if (typeof said?.code !== "string" || said.details === undefined) return error;
  const details = JSON.parse(decode(ownBytes(said.details))) as Record<string, unknown>;
  return new EventError(said.code, `events ${said.code}: ${said.message}`, details);
}
