// Secrets. Each name needs `grants.secrets`. Never log one.

import { get as hostGet } from "santokit:runtime/secrets@0.1.0";
import { calling, HostError, LogicError, type WitError } from "./error.ts";

/** Why a secret cannot be had. */
export class SecretError extends HostError {
  override readonly name = "SecretError";
  /** `denied` (not in the manifest), `missing` (the env has no such secret), or a code of the host. */
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }

  override toLogicError(): LogicError {
    return new LogicError("SECRET_ERROR", "the logic is not configured for this");
  }
}

/** The secret's value. */
export function get(name: string): string {
  return calling(() => hostGet(name), fromHost);
}

function fromHost(error: WitError): SecretError {
  switch (error.tag) {
    case "denied":
      return new SecretError("denied", `secret denied: ${error.val} (add it to grants.secrets in logic.yaml)`);
    case "missing":
      return new SecretError("missing", `secret ${error.val} is not set in this env (stk secrets set ${error.val})`);
    default: {
      const [code, message] = error.val as [string, string];
      return new SecretError(code, `secret: ${code}: ${message}`);
    }
  }
}
