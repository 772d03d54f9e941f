// Uses all that it is granted and asks for what it is not, or ends as its param says.

import { config, log, logic, LogicError, secrets, sql } from "@santokit/guest";

interface Input {
  mode: string;
  value: string;
}

function refused(ask: () => unknown): boolean {
  try {
    ask();
    return false;
  } catch {
    return true;
  }
}

export default logic<Input, unknown>(({ mode, value }) => {
  if (mode === "throw") throw new Error("a failure in the guest");
  if (mode === "refuse") throw new LogicError("NO", "the guest says no", { limit: value });
  if (mode === "loop") for (;;) {}
  const db = sql.open("main");
  log.info("looking", { mode });
  const secret = secrets.get("PAYMENT_KEY").length;
  const shown = config.get("shown");
  const denied = [
    refused(() => secrets.get("OTHER_KEY")),
    refused(() => secrets.get(value)),
    refused(() => config.get("hidden")),
    refused(() => config.get(value)),
    refused(() => sql.open(value)),
    refused(() => db.query(`SELECT '${value}' FROM sqlite_master`)),
    refused(() => db.query(`SELECT abs('${value}', 1, 2) FROM notes`)),
    refused(() => db.execute("INSERT INTO notes (id, text) VALUES ('1', ?)", [value])),
  ];
  const rows = db.query("SELECT id, text FROM notes WHERE text <> ?", [value]);
  return { secret, shown, denied, rows };
});
