// Configuration values of the release, selected for the env. Each name needs `grants.config`.

import { get as hostGet } from "santokit:runtime/config@0.1.0";
import { calling, HostError, LogicError, type WitError } from "./error.ts";

/** Why a value cannot be had. */
export class ConfigError extends HostError {
  override readonly name = "ConfigError";
  /** `denied` (not in the manifest), `missing` (only from `require`), or a code of the host. */
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }

  override toLogicError(): LogicError {
    return new LogicError("CONFIG_ERROR", "the logic is not configured for this");
  }
}

/** The value as text; undefined where the env sets nothing. */
export function get(name: string): string | undefined {
  return calling(() => hostGet(name), fromHost) ?? undefined;
}

/** The value as text; throws where the env sets nothing. */
export function require(name: string): string {
  const value = get(name);
  if (value === undefined) throw new ConfigError("missing", `configuration ${name} is not set in this env`);
  return value;
}

function fromHost(error: WitError): ConfigError {
  if (error.tag === "denied") {
    return new ConfigError("denied", `configuration denied: ${error.val} (add it to grants.config in logic.yaml)`);
  }
  const [code, message] = error.val as [string, string];
  return new ConfigError(code, `configuration: ${code}: ${message}`);
}
