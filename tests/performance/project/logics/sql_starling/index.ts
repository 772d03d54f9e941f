// Reads rows by key or by cursor, into typed rows.

import { logic, sql } from "@santokit/guest";
import type { ItemsRow } from "@santokit/project";

export default logic<{ op: string; count: number }, number>(({ op, count }) => {
  const db = sql.open("main");
  let seen = 0;
  if (op === "one") {
    for (let number = 0; number < count; number++) {
      const id = `i-${String(number % 10000).padStart(5, "0")}`;
      const item = db.queryOne<ItemsRow>("SELECT id, text, number FROM items WHERE id = ?", [id]);
      if (item.id && item.text && item.number >= 0) seen++;
    }
  }
  if (op === "many") {
    for (const item of db.cursor<ItemsRow>("SELECT id, text, number FROM items ORDER BY id")) {
      if (item.id && item.text && item.number >= 0) seen++;
    }
  }
  return seen;
});
