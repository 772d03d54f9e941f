// What is done once, whatever is tried again. Needs `grants.once`.
//
// A mark is kept beside the rows, and is of this logic alone. In a transaction it comes with the commit: what is written there and the mark are both
// stored, or neither is.

import { isDone, markDone } from "santokit:events/once@0.1.0";
import type { WitTransaction } from "santokit:sql/connections@0.1.0";
import { HostError, LogicError } from "./error.ts";
import type { Transaction } from "./sql.ts";

/**
 * It is not known whether something was done, or not kept that it is. Not caught, it becomes a `LogicError` that tells the caller a code. `code` is
 * `denied` (not granted), `invalid` (the key, or the transaction), `conflict` (somebody did it at the same time; a transaction is lost with it),
 * `rate` (more marks than a logic may make), `timeout` or `unavailable`. Others may come.
 */
export class OnceError extends HostError {
  override readonly name = "OnceError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }

  override toLogicError(): LogicError {
    switch (this.code) {
      case "denied":
        return new LogicError("ONCE_DENIED", "the logic may not remember what it has done");
      case "conflict":
        return new LogicError("ONCE_CONFLICT", "somebody does the same at this moment");
      case "rate":
        return new LogicError("ONCE_RATE", "too much is done once in a short time");
      case "timeout":
        return new LogicError("ONCE_TIMEOUT", "the database took too long");
      case "unavailable":
        return new LogicError("ONCE_UNAVAILABLE", "what is done cannot be kept now");
      default:
        return new LogicError("ONCE_INVALID", "the logic made a mistake with what is done once");
    }
  }
}

/**
 * Does the work where the key is not marked, and marks it then; whether it did. What throws is not marked. The mark is stored for 90 days.
 *
 * `within` is a transaction of `sql`: work and mark are stored together. Without it the mark is of the invocation's own transaction where the manifest says
 * `transaction: required`; otherwise it is stored when the work is done: who is stopped between the two does the work again.
 */
export function once(key: string, work: () => void, options: { readonly within?: Transaction } = {}): boolean {
  const transaction = (options.within as unknown as { host: WitTransaction } | undefined)?.host;
  if (asked(() => isDone(key, transaction))) return false;
  work();
  asked(() => markDone(key, transaction));
  return true;
}

function asked<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const said = ((error as { payload?: unknown } | null)?.payload ?? error) as { code?: unknown; message?: unknown } | null;
    if (typeof said?.code !== "string") throw error;
    throw new OnceError(said.code, `once ${said.code}: ${said.message}`);
  }
}
