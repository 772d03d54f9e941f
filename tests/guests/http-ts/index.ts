// Sends requests as its input says, one after the other, and answers what each came to.

import { http, logic, sql } from "@santokit/guest";

interface Step {
  method?: string;
  url: string;
  headers?: [string, string][];
  json?: unknown;
  manual?: boolean;
  /** While a transaction on SQLite is open. */
  within?: boolean;
  /** Not to catch the error of a limit. */
  giveUp?: boolean;
}

export default logic<{ steps: Step[] }, unknown>(({ steps }) =>
  steps.map((step) => {
    if (!step.within) return told(step);
    return sql.open("main").transaction((tx) => {
      tx.execute("INSERT INTO notes (id) VALUES (?)", ["within-ts"]);
      return told(step);
    });
  }),
);

function told(step: Step): unknown {
  const { method = "GET", url, headers = [], json, manual } = step;
  try {
    const answer = http.request(method, url, {
      headers,
      ...(json === undefined ? {} : { json }),
      ...(manual ? { redirect: "manual" as const } : {}),
    });
    return { status: answer.status, type: answer.header("Content-Type"), body: answer.text(), url: answer.url };
  } catch (error) {
    // As any logic does: then the caller is told the limit.
    if (!(error instanceof http.HttpError) || (error.code === "limit" && step.giveUp)) throw error;
    return { code: error.toLogicError().code, message: error.message };
  }
}
