// The answer of a logic that says no, and the errors that turn into one by themselves.

/**
 * The logic refuses. It reaches the caller as `LOGIC_ERROR` (422) with these fields inside, and rolls back the
 * invocation's transaction. Everything in it is seen by the caller.
 */
export class LogicError extends Error {
  override readonly name: string = "LogicError";
  /** For programs: upper case with underscores, for example `OUT_OF_STOCK`. */
  readonly code: string;
  /** Any JSON value. */
  readonly details: unknown;

  constructor(code: string, message: string, details?: unknown) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

/**
 * An error of a host call. Not caught by the logic, it becomes a `LogicError` with the code and message of
 * `toLogicError`; its own words go to the log, because the caller must not see them.
 */
export abstract class HostError extends Error {
  /** What the caller learns. */
  abstract toLogicError(): LogicError;
}

/** How the SDK sees an error that the host threw: a WIT variant. */
export interface WitError {
  tag: string;
  val?: unknown;
}

/** Runs a host call; what the host throws is handed on as `convert` makes it. */
export function calling<T>(call: () => T, convert: (error: WitError) => Error): T {
  try {
    return call();
  } catch (error) {
    const payload = witError(error) ?? witError((error as { payload?: unknown } | null)?.payload);
    throw payload === undefined ? error : convert(payload);
  }
}

/** The engines throw an `Error` with the variant as its `payload`, or the variant itself. */
function witError(error: unknown): WitError | undefined {
  const tagged = typeof error === "object" && error !== null && typeof (error as WitError).tag === "string";
  return tagged ? (error as WitError) : undefined;
}
