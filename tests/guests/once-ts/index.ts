// Given an event it writes two rows, each once, and fails until its third attempt.

import { eventHandler, LogicError, once, sql } from "@santokit/guest";

const INSERT = "INSERT INTO handled (id, event, logic, attempt, depth, said) VALUES (?, ?, ?, ?, 0, ?)";

export const onEvent = eventHandler((event, _work, ctx) => {
  const { logic } = ctx.invocation;
  const row = (said: string) => [`${event.id} ${logic} ${said}`, event.id, logic, event.attempt, said];
  const db = sql.open("main");
  db.transaction((tx) => {
    once(event.id, () => tx.execute(INSERT, row("within")), { within: tx });
  });
  once(`${event.id} alone`, () => db.execute(INSERT, row("alone")));
  if (event.attempt < 3) throw new LogicError("NOT_NOW", `attempt ${event.attempt}`);
});
