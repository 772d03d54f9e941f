// The globals that the engines have not, or have not safely, in a snapshotted guest without WASI. The build injects them where
// they are named: `Date` would trap without a clock, and `Math.random` would give every fresh instance the same numbers.

import { now } from "./clock.ts";
import { log, text } from "./log.ts";
import { bytes, random, uuid } from "./random.ts";
import { decode, encode } from "./utf8.ts";

const NativeDate = globalThis.Date;

const HostDate = new Proxy(NativeDate, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self),
  apply: () => new NativeDate(now()).toString(),
  get: (target, key) => (key === "now" ? now : Reflect.get(target, key)),
});

const writer = (level: "debug" | "info" | "warn" | "error") => (...values: unknown[]) =>
  log(level, values.map(text).join(" "));

const HostConsole = {
  log: writer("info"),
  info: writer("info"),
  debug: writer("debug"),
  warn: writer("warn"),
  error: writer("error"),
};

class HostTextEncoder {
  readonly encoding = "utf-8";
  encode(value = ""): Uint8Array {
    return encode(value);
  }
}

class HostTextDecoder {
  readonly encoding = "utf-8";
  decode(value: Uint8Array = new Uint8Array()): string {
    return decode(value);
  }
}

const HostCrypto = {
  getRandomValues<T extends Uint8Array>(array: T): T {
    array.set(bytes(array.length));
    return array;
  },
  randomUUID: uuid,
};

export {
  HostConsole as console,
  HostCrypto as crypto,
  HostDate as Date,
  HostTextDecoder as TextDecoder,
  HostTextEncoder as TextEncoder,
  random as "Math.random",
};
