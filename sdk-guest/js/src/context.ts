// Who called, and in which release.

import { getCaller, getInvocation } from "santokit:runtime/context@0.1.0";
import { decode } from "./utf8.ts";

/** Who called. */
export interface Caller {
  /** `anonymous`, `apiKey`, `user` or `system` (cron, events). New kinds may appear. */
  kind: string;
  /** The API key's id or the end user's `sub`. Null when anonymous. */
  subject: string | null;
  /** The roles that the Bridge has verified. */
  roles: string[];
  /** Further claims of the credential. */
  claims: Record<string, unknown>;
}

/** What is being run. */
export interface Invocation {
  /** The id in `X-Request-Id` and in every log line. */
  requestId: string;
  /** The logic's name, for example `pricing/quote`. */
  logic: string;
  project: string;
  env: string;
  releaseId: string;
  /** `request`, `call` (from another logic), `event`, `cron` or `test`. New kinds may appear. */
  trigger: string;
}

/** Who called this invocation. */
export function caller(): Caller {
  const { kind, subject, roles, claims } = getCaller();
  return { kind, subject: subject ?? null, roles: Array.from(roles), claims: claims.length === 0 ? {} : JSON.parse(decode(claims)) };
}

/** What this invocation is. */
export function invocation(): Invocation {
  const { requestId, logic, project, env, releaseId, trigger } = getInvocation();
  return { requestId, logic, project, env, releaseId, trigger };
}
