// Publishes events as its input says, one step after the other, and answers what each came to.

import { events, logic, LogicError, sql } from "@santokit/guest";

type Event = { topic: string; payload: events.Payload };

type Step =
  | ({ op: "publish" | "beside" } & Event)
  | ({ op: "together"; id: string; keep: boolean } & Event)
  | { op: "large"; topic: string; bytes: number }
  | { op: "refuse" };

export default logic<{ steps: Step[] }, unknown>(({ steps }) => steps.map(run));

function run(step: Step): unknown {
  switch (step.op) {
    case "publish":
      return told(() => events.publish(step.topic, step.payload));
    case "large":
      return told(() => events.publish(step.topic, { note: "x".repeat(step.bytes) }));
    case "together": {
      const tx = sql.open("main").begin();
      tx.execute("INSERT INTO items (id) VALUES (?)", [step.id]);
      const said = told(() => events.within(tx).publish(step.topic, step.payload));
      if (step.keep) tx.commit();
      else tx.rollback();
      return said;
    }
    case "beside": {
      const tx = sql.open("main").begin();
      const said = told(() => events.publish(step.topic, step.payload));
      tx.commit();
      return said;
    }
    case "refuse":
      throw new LogicError("REFUSED", "as asked");
  }
}

function told(publish: () => string): unknown {
  try {
    return { id: publish() };
  } catch (error) {
    if (!(error instanceof events.EventError)) throw error;
    return { error: error.code, message: error.message, details: error.details };
  }
}
