// Given an event it does what the payload says. It takes no calls.

import { eventHandler, LogicError, sql } from "@santokit/guest";

interface Work {
  action: string;
  number?: number;
}

export const onEvent = eventHandler<Work>((event, work, ctx) => {
  if (work.action === "panic") throw new TypeError("as asked");
  if (work.action === "fail" || event.attempt < (work.number ?? 0)) {
    throw new LogicError("NOT_NOW", `attempt ${event.attempt}`, { event: event.id });
  }
  const { logic, trigger } = ctx.invocation;
  sql
    .open("main")
    .execute("INSERT INTO handled (id, event, logic, attempt, depth, caused_by, said) VALUES (?, ?, ?, ?, ?, ?, ?)", [
      `${event.id} ${logic}`,
      event.id,
      logic,
      event.attempt,
      event.depth,
      event.causedBy ?? null,
      `${trigger} ${ctx.caller.kind} ${event.topic} ${event.publishedAt.length}`,
    ]);
});
