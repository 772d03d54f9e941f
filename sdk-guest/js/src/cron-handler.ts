// One run of a job: what is told of it, the handler, and what becomes of an exception.

import { type Context, isPromise, lazyContext, refusal } from "./logic.ts";

/** What is told of a run. */
export interface Run {
  /** `run_…`. */
  readonly id: string;
  /** The job's name. */
  readonly job: string;
  /** The tick that it is for: RFC 3339 with microseconds, in UTC. Undefined where an operator runs it. */
  readonly dueAt: string | undefined;
  /** What has begun it: `schedule`, `catchUp` or `manual`. Others may come. */
  readonly cause: string;
}

/** What is done for a job. Not `async`. What it throws, and the run has failed. */
export type OnCron = (run: Run, context: Context) => void;

/** What a module exports as `onCron`: made by `cronHandler`. */
export interface CronHandler {
  /** @internal */
  onCron(run: WitRun): void;
}

interface WitRun {
  id: string;
  job: string;
  dueAt?: string | null;
  cause: string;
}

/**
 * Makes a function what this component does for jobs, of whichever name its logic: `export const onCron = cronHandler((run) => …)`. Beside it a
 * module may have a `logic` for callers and an `eventHandler`.
 */
export function cronHandler(handler: OnCron): CronHandler {
  return {
    onCron({ id, job, dueAt, cause }: WitRun): void {
      try {
        const answer: unknown = handler({ id, job, dueAt: dueAt ?? undefined, cause }, lazyContext());
        if (isPromise(answer)) {
          throw new TypeError("the handler must not be async: host calls are synchronous, nothing would wait for it");
        }
      } catch (error) {
        throw refusal(error);
      }
    },
  };
}
