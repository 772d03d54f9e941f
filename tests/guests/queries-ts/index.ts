// Calls declared queries as its input says, and answers errors as values.

import { logic, queries } from "@santokit/guest";

interface Input {
  op: "many" | "one" | "execute" | "cursor" | "transaction" | "handles";
  query?: string;
  params?: queries.Params;
  fail?: boolean;
}

export default logic<Input, unknown>((input) => {
  try {
    return call(input);
  } catch (error) {
    // As any logic does: then the caller is told the limit.
    if (!(error instanceof queries.SqlError) || error.kind === "limit") throw error;
    return { error: error.kind, message: error.message };
  }
});

function call({ op, query = "", params, fail }: Input): unknown {
  switch (op) {
    case "many":
      return queries.many(query, params);
    case "one":
      return queries.one(query, params);
    case "execute":
      return queries.execute(query, params);
    case "cursor":
      return { rows: [...queries.cursor(query, params)].length };
    case "transaction":
      return queries.transaction("main", () => {
        for (const id of ["t1", "t2"]) queries.execute("add", { id, customerId: "c1", total: queries.decimal("1.50") });
        if (fail) throw new queries.SqlError("other", "as asked");
        return queries.many("by_customer", { customerId: "c1" }).length;
      });
    case "handles": {
      const transaction = queries.begin("main");
      queries.execute("add", { id: "h1", customerId: "c1", total: "1" });
      transaction[Symbol.dispose]();
      return { left: queries.many("by_customer", { customerId: "c1" }).length };
    }
  }
}
