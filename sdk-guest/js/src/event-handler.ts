// One event: what is told of it, its payload, the handler, and what becomes of an exception.

import { type Context, isPromise, lazyContext, refusal } from "./logic.ts";
import { decode } from "./utf8.ts";

/** What is told of an event besides its payload. It comes at least once: `id` is the same each time. */
export interface Event {
  /** `evt_…`. */
  readonly id: string;
  readonly topic: string;
  /** When it was published: RFC 3339 with microseconds, in UTC. */
  readonly publishedAt: string;
  /** Which attempt of the subscription this is, from 1. */
  readonly attempt: number;
  /** The event that was being handled when this one was published. */
  readonly causedBy: string | undefined;
  /** How many events caused one another until this one; 0 for one that no event has caused. */
  readonly depth: number;
}

/** What is done with an event. Not `async`. What it throws, and the event is tried again. */
export type OnEvent<Payload> = (event: Event, payload: Payload, context: Context) => void;

/** What a module exports as `onEvent`: made by `eventHandler`. */
export interface EventHandler {
  /** @internal */
  onEvent(event: WitEvent, payload: Uint8Array): void;
}

interface WitEvent {
  id: string;
  topic: string;
  publishedAt: string;
  attempt: number;
  causedBy?: string | null;
  depth: number;
}

/**
 * Makes a function what this component does with events, of whichever subscriptions name its logic:
 * `export const onEvent = eventHandler<Payload>((event, payload) => …)`. Beside it a module may have a `logic` for callers.
 */
export function eventHandler<Payload = unknown>(handler: OnEvent<Payload>): EventHandler {
  return {
    onEvent(told: WitEvent, payload: Uint8Array): void {
      const { id, topic, publishedAt, attempt, causedBy, depth } = told;
      const event = { id, topic, publishedAt, attempt, causedBy: causedBy ?? undefined, depth };
      try {
        const answer: unknown = handler(event, JSON.parse(decode(payload)) as Payload, lazyContext());
        if (isPromise(answer)) {
          throw new TypeError("the handler must not be async: host calls are synchronous, nothing would wait for it");
        }
      } catch (error) {
        throw refusal(error);
      }
    },
  };
}
