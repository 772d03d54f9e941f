// Calls every part of the SDK once, and so every interface that the world offers. Its compiled form is kept for each
// published version of the WIT packages, so that a host that no longer links it is found out (see kept/README.md).

import { clock, config, context, log, logic, random, secrets, sql } from "@santokit/guest";

interface Input {
  connection: string;
  query: string;
  statement: string;
  config: string;
  secret: string;
}

export default logic<Input, unknown>((input) => {
  log.trace("every import");
  const answer = {
    caller: context.caller().kind,
    logic: context.invocation().logic,
    now: clock.timestamp(),
    elapsed: clock.elapsed() > 0,
    remaining: clock.remaining() > 0,
    random: random.bytes(8).length,
    config: config.get(input.config),
    secret: secrets.get(input.secret).length,
    sql: database(input),
  };
  log.error("every import was called", { interfaces: 8 });
  return answer;
});

function database(input: Input): unknown {
  const db = sql.open(input.connection);
  const rows = [db.query(input.query).length, [...db.cursor(input.query)].length];
  db.execute(input.statement);
  db.transaction((tx) => {
    rows.push(tx.query(input.query).length, [...tx.cursor(input.query)].length);
    tx.execute(input.statement);
  });
  const takenBack = db.begin();
  takenBack.execute(input.statement);
  takenBack.rollback();
  return { engine: db.engine(), rows };
}
