// One invocation: bytes in, the handler, bytes out; and what becomes of an exception.

import { type Caller, caller, type Invocation, invocation } from "./context.ts";
import { HostError, LogicError } from "./error.ts";
import { error as logError } from "./log.ts";
import { sourceStack } from "./stack.ts";
import { decode, encode } from "./utf8.ts";

/** What the handler is told besides its input. Each part is asked for only when it is read. */
export interface Context {
  /** Who called. */
  readonly caller: Caller;
  /** What is being run. */
  readonly invocation: Invocation;
}

/** A logic: from its input (the checked params) to its output, or a thrown `LogicError`. Not `async`. */
export type Handler<Input, Output> = (input: Input, context: Context) => Output;

/** What a logic's module exports as its default: made by `logic`. */
export interface Logic {
  /** @internal */
  handle(input: Uint8Array): Uint8Array;
}

/** Makes a function the handler of this component: `export default logic<Input, Output>((input, ctx) => …)`. */
export function logic<Input = unknown, Output = unknown>(handler: Handler<Input, Output>): Logic {
  return {
    handle(bytes: Uint8Array): Uint8Array {
      try {
        return answer(handler(JSON.parse(decode(bytes)) as Input, lazyContext()));
      } catch (error) {
        throw refusal(error);
      }
    },
  };
}

/** @internal */
export function lazyContext(): Context {
  let who: Caller | undefined;
  let what: Invocation | undefined;
  return {
    get caller() {
      return (who ??= caller());
    },
    get invocation() {
      return (what ??= invocation());
    },
  };
}

/** @internal */
export function isPromise(output: unknown): boolean {
  return typeof output === "object" && output !== null && typeof (output as { then?: unknown }).then === "function";
}

function answer(output: unknown): Uint8Array {
  if (isPromise(output)) {
    throw new TypeError("the handler must not be async: host calls are synchronous, nothing would wait for it");
  }
  return json(output);
}

/** JSON as the Bridge writes it: `bigint` as a string, bytes as base64, nothing as null. */
function json(value: unknown): Uint8Array {
  return encode(JSON.stringify(value, jsonValue) ?? "null");
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? value.toBase64() : value;
}

/**
 * @internal
 * What is thrown at the border. A `LogicError` and the errors of host calls become the WIT record; everything else is
 * a mistake in the logic: it is logged with its stack, and null fits no WIT type, so that the guest traps.
 */
export function refusal(error: unknown): unknown {
  let logicError: LogicError;
  if (error instanceof LogicError) {
    logicError = error;
  } else if (error instanceof HostError) {
    logicError = error.toLogicError();
    logError(error.message, { code: logicError.code, stack: sourceStack(error) });
  } else {
    const thrown = error instanceof Error ? error : new Error(`thrown: ${String(error)}`);
    logError(`uncaught ${thrown.name}: ${thrown.message}`, { stack: sourceStack(thrown) });
    return null;
  }
  const { code, message, details } = logicError;
  return { code, message, details: details === undefined ? null : json(details) };
}
