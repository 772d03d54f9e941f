// A guest that behaves, refuses, fails, or runs into each of its limits.

import { config, context, log, logic, LogicError, secrets, sql } from "@santokit/guest";

type Deed = (value: unknown) => unknown;

const rows = (count: number, cell: string) =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT ${cell} AS cell FROM n`;

const deeds: Record<string, Deed> = {
  echo: (value) => value ?? null,
  who: () => context.caller(),
  granted: () => ({ config: config.get("shown"), secret: secrets.get("TOKEN").length }),
  hidden: () => config.get("hidden"),
  secret: () => secrets.get("OTHER"),
  refuse: () => {
    throw new LogicError("SOLD_OUT", "there is nothing left", { left: 0 });
  },
  fail: () => {
    throw new Error("planted-words-of-the-guest");
  },
  taken: () => sql.open("main").execute("INSERT INTO items (id, name) VALUES ('9', 'one')"),
  cpu: () => {
    for (;;);
  },
  memory: () => {
    const kept: Uint8Array[] = [];
    for (;;) kept.push(new Uint8Array(1 << 20));
  },
  hostCalls: () => {
    for (;;) context.caller();
  },
  handles: () => {
    const kept: unknown[] = [];
    for (;;) kept.push(sql.open("main"));
  },
  sqlRows: () => sql.open("main").query(rows(501, "i")),
  sqlBytes: () => sql.open("main").query(rows(100, "hex(zeroblob(1000))")),
  borne: () => {
    try {
      return sql.open("main").query(rows(501, "i"));
    } catch (error) {
      return (error as sql.SqlError).kind;
    }
  },
  timeout: () => sql.open("main").query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS n FROM n"),
  output: () => "x".repeat(10_001),
  logBytes: () => {
    for (let line = 0; line < 100; line++) log.info(`line ${line}`);
    return "told";
  },
};

export default logic<{ do: string; value?: unknown }, unknown>(({ do: name, value }) => {
  const deed = deeds[name];
  if (deed === undefined) throw new LogicError("UNKNOWN", `there is no deed ${name}`);
  return deed(value);
});
