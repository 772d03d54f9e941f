// Answers its input. With `{"error": {code, message, details}}` it refuses with that; with `{"throw": text}` it fails;
// with `{"tell": true}` it answers what the host tells about the invocation.

import { clock, config, log, logic, LogicError, random, secrets } from "@santokit/guest";

interface Input {
  error?: { code: string; message: string; details?: unknown };
  throw?: string;
  tell?: boolean;
  config?: string;
  secret?: string;
}

export default logic<Input, unknown>((input, context) => {
  if (input.error) throw new LogicError(input.error.code, input.error.message, input.error.details);
  if (input.throw !== undefined) fail(input.throw);
  if (!input.tell) return input;
  log.info("telling", { config: input.config });
  console.log("telling", { through: "console" });
  return {
    caller: context.caller,
    invocation: context.invocation,
    config: input.config === undefined ? null : config.get(input.config),
    secret: input.secret === undefined ? null : secrets.get(input.secret),
    random: { length: random.bytes(16).length, math: [Math.random(), Math.random()], uuid: crypto.randomUUID() },
    clock: { now: clock.now(), date: Date.now(), iso: new Date().toISOString(), timestamp: clock.timestamp() },
    elapsed: clock.elapsed(),
    remaining: clock.remaining(),
  };
});

function fail(message: string): never {
  throw new RangeError(message);
}
