// Notes what it is told of a run; fails in the job that is called so.

import { cronHandler, LogicError, sql } from "@santokit/guest";

export const onCron = cronHandler((run, ctx) => {
  const { logic, trigger } = ctx.invocation;
  sql
    .open("main")
    .execute("INSERT INTO noted (id, logic, job, due, cause, said) VALUES (?, ?, ?, ?, ?, ?)", [
      run.id,
      logic,
      run.job,
      run.dueAt ?? null,
      run.cause,
      `${trigger} ${ctx.caller.kind}`,
    ]);
  if (run.job === "ts-fails") throw new LogicError("NO_RATES", "there are no rates today");
});
