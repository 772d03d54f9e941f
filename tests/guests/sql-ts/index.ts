// Runs SQL as its input says. Integers beyond 2^53 come in as `{"bigint": "…"}` and go out as strings.

import { logic, LogicError, sql } from "@santokit/guest";

type Step =
  | { op: "engine" }
  | { op: "query" | "execute" | "cursor" | "kinds"; sql: string; params?: unknown[] }
  | { op: "transaction"; steps: Step[]; fail?: "refuse" | "throw" }
  | { op: "failure"; step: Step };

type Input = { connection?: string } & Step;

export default logic<Input, unknown>((input) => run(sql.open(input.connection ?? "main"), input));

function run(db: sql.Connection, step: Step): unknown {
  switch (step.op) {
    case "engine":
      return db.engine();
    case "query":
      return db.query(step.sql, params(step.params));
    case "kinds":
      // What the values are in JavaScript, which JSON does not show.
      return db.query(step.sql, params(step.params)).map((row) =>
        Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, `${kind(cell)} ${String(cell)}`])),
      );
    case "execute":
      return db.execute(step.sql, params(step.params));
    case "cursor": {
      let [sum, rows] = [0, 0];
      for (const row of db.cursor<Record<string, number>>(step.sql, params(step.params))) {
        sum += Object.values(row)[0] ?? 0;
        rows++;
      }
      return { sum, rows };
    }
    case "transaction":
      return db.transaction(() => {
        const done = step.steps.map((inner) => run(db, inner));
        if (step.fail === "refuse") throw new LogicError("REFUSED", "asked to refuse");
        if (step.fail === "throw") throw new Error("asked to throw in a transaction");
        return done;
      });
    case "failure":
      try {
        return { ok: run(db, step.step) };
      } catch (error) {
        if (!(error instanceof sql.SqlError)) throw error;
        const { kind, code, constraint, retryable, message } = error;
        return { kind, code, constraint, retryable, message };
      }
  }
}

function params(values: unknown[] = []): sql.Param[] {
  return values.map((value) => {
    if (typeof value !== "object" || value === null) return value as sql.Param;
    const object = value as Record<string, unknown>;
    if ("bigint" in object) return BigInt(object.bigint as string);
    if ("decimal" in object) return sql.decimal(object.decimal as string);
    if ("bytes" in object) return Uint8Array.from(object.bytes as number[]);
    if ("date" in object) return new Date(object.date as string);
    return sql.json(object.json);
  });
}

function kind(value: unknown): string {
  if (value === null) return "null";
  return value instanceof Uint8Array ? "bytes" : typeof value;
}
