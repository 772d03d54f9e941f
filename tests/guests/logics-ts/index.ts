// Calls other logics as its input says, step by step, and answers what each step came to.

import { logic, LogicError, logics } from "@santokit/guest";

interface Step {
  op: string;
  name?: string;
  params?: Record<string, unknown>;
  /** Not to catch the error. */
  giveUp?: boolean;
}

export default logic<{ steps: Step[] }, unknown>(({ steps }) =>
  steps.map(({ op, name = "", params = {}, giveUp }) => {
    if (op === "refuse") throw new LogicError("NO_MORE", "there is no more", { left: 0 });
    if (op === "panic") throw new Error("planted-panic");
    try {
      return { data: logics.call(name, params) };
    } catch (error) {
      if (!(error instanceof logics.CallError) || giveUp) throw error;
      const { kind, message } = error;
      if (kind === "refused") return { kind, code: error.code, message };
      return { code: error.toLogicError().code, message: `logics ${kind}: ${message}` };
    }
  }),
);
