// Does to objects what its input says, one step after the other, and answers what each came to.

import { logic, storage } from "@santokit/guest";

interface Step {
  op: string;
  bucket?: string;
  key?: string;
  /** What is written; so many times where it says. */
  text?: string;
  times?: number;
  contentType?: string;
  onlyNew?: boolean;
  ifMatch?: string;
  sha256?: string;
  /** Of `read`. */
  offset?: number;
  length?: number;
  /** Of `presignGet` and `presignPut`. */
  expiresIn?: number;
  saveAs?: string;
  size?: number;
  /** Not to catch the error of a limit. */
  giveUp?: boolean;
}

export default logic<{ steps: Step[] }, unknown>(({ steps }) =>
  steps.map((step) => {
    try {
      return done(step);
    } catch (error) {
      // As any logic does: then the caller is told the limit.
      if (!(error instanceof storage.StorageError) || (error.code === "limit" && step.giveUp)) throw error;
      return { code: error.toLogicError().code, message: error.message };
    }
  }),
);

function done(step: Step): unknown {
  const { key = "", text = "", times = 1 } = step;
  const bucket = storage.bucket(step.bucket ?? "files");
  switch (step.op) {
    case "get": {
      const found = bucket.get(key);
      return found && { text: found.text(), stat: told(found.stat) };
    }
    case "stat": {
      const found = bucket.stat(key);
      return found && told(found);
    }
    case "put":
      return told(bucket.put(key, text.repeat(times), step));
    case "stream": {
      const writer = bucket.create(key, step);
      for (let at = 0; at < times; at++) writer.write(text);
      return told(writer.finish());
    }
    case "drop": {
      // A guest that thinks better of it.
      const writer = bucket.create(key);
      for (let at = 0; at < times; at++) writer.write(text);
      writer.close();
      return null;
    }
    case "read": {
      const reader = bucket.open(key);
      try {
        return { text: decoded(reader.readAt(step.offset ?? 0, step.length ?? 1 << 20)), stat: told(reader.stat) };
      } finally {
        reader.close();
      }
    }
    case "overtaken": {
      // While it is open, another is put in its place.
      const reader = bucket.open(key);
      bucket.put(key, text);
      return { text: [...reader].map(decoded).join(""), size: reader.stat.size };
    }
    case "openAll": {
      // Each of them is an open file at the host.
      const all: storage.Reader[] = [];
      try {
        for (let at = 0; at < times; at++) all.push(bucket.open(key));
        return all.length;
      } finally {
        for (const reader of all) reader.close();
      }
    }
    case "list":
      return [...bucket.list(key)].map((found) => found.key);
    case "delete":
      return bucket.delete(key, step);
    case "presignGet":
      return signed(bucket.presignGet(key, step));
    case "presignPut":
      return signed(bucket.presignPut(key, step));
    default:
      throw new storage.StorageError("invalid", `no such op: ${step.op}`);
  }
}

function signed({ url, method, headers, expires }: storage.SignedUrl): unknown {
  return { url, method, headers: Object.entries(headers), lives: expires.getTime() > Date.now() };
}

function decoded(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function told(stat: storage.Stat): unknown {
  const made = stat.modified.getTime() > 1_700_000_000_000;
  return { key: stat.key, size: stat.size, etag: stat.etag, type: stat.contentType, made };
}
