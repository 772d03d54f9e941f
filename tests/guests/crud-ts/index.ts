// Asks tables as its input says, step by step, and answers what each step came to.

import { crud, logic, sql } from "@santokit/guest";

interface Step {
  op: string;
  table?: string;
  params?: crud.Params;
  within?: boolean;
}

export default logic<{ steps: Step[] }, unknown>(({ steps }) => {
  const transactions: sql.Transaction[] = [];
  return steps.map((step) => {
    try {
      return { data: run(step, transactions) ?? null };
    } catch (error) {
      if (error instanceof sql.SqlError) return { error: "invalid", message: error.message };
      // As any logic does: then the caller is told the limit.
      if (!(error instanceof crud.CrudError) || (error.kind === "limit" && step.params?.["giveUp"] === true)) throw error;
      const { kind, code, message, hint, details } = error;
      return { error: kind, code: kind === "refused" ? code : null, message, hint, details };
    }
  });
});

function run({ op, table = "", params = {}, within }: Step, transactions: sql.Transaction[]): unknown {
  const open = transactions.at(-1);
  const { giveUp: _, ...sent } = params;
  const tables = within && open ? crud.within(open) : crud;
  switch (op) {
    case "begin":
      transactions.push(sql.open("main").begin());
      return null;
    case "commit":
      return transactions.pop()?.commit();
    case "rollback":
      return transactions.pop()?.rollback();
    case "sql":
      return sql.open("main").query(params as unknown as string).length;
    case "select":
      return tables.select(table, sent);
    case "page":
      return { nextCursor: null, total: null, ...tables.page(table, sent) };
    case "insert":
      return tables.insert(table, sent);
    case "update":
      return tables.update(table, sent);
    case "updateReturning":
      return tables.updateReturning(table, sent);
    case "delete":
      return tables.delete(table, sent);
    case "deleteReturning":
      return tables.deleteReturning(table, sent);
    case "batch":
      return tables.batch(params["calls"] as crud.Call[]).map((answer) => answer.data);
    default:
      throw new crud.CrudError("invalid", op);
  }
}
