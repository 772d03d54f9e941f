// UTF-8 with what the engine has natively: loops over bytes in JavaScript would be ten times slower. StarlingMonkey has the
// two classes for it; QuickJS has neither.

const native = globalThis as { TextDecoder?: typeof TextDecoder; TextEncoder?: typeof TextEncoder };
const decoder = native.TextDecoder && new native.TextDecoder("utf-8", { ignoreBOM: true });
const encoder = native.TextEncoder && new native.TextEncoder();
const NON_ASCII = /[\x80-\xff]/;
const CHUNK = 8192;

/** One character (0 to 255) per byte. */
export function toBinary(bytes: Uint8Array): string {
  if (bytes.length <= CHUNK) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  const parts: string[] = [];
  for (let start = 0; start < bytes.length; start += CHUNK) {
    parts.push(String.fromCharCode.apply(null, bytes.subarray(start, start + CHUNK) as unknown as number[]));
  }
  return parts.join("");
}

/** The text of UTF-8 that is held one character per byte. */
export function binaryToText(binary: string): string {
  return NON_ASCII.test(binary) ? decodeURIComponent(escape(binary)) : binary;
}

/** The text of UTF-8 bytes. */
export function decode(bytes: Uint8Array): string {
  return decoder ? decoder.decode(bytes) : binaryToText(toBinary(bytes));
}

/** UTF-8 bytes of a text; halves of surrogate pairs become U+FFFD. */
export function encode(text: string): Uint8Array {
  return encoder ? encoder.encode(text) : Uint8Array.fromBase64(btoa(unescape(encodeURIComponent(text.toWellFormed()))));
}
