// A worker of the library: tasks that do nothing, and one line for each that tells how long ago it was asked for.
import { run } from "graphile-worker";

const [url, concurrency, batched] = process.argv.slice(2);
const local = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
const runner = await run({
  preset: {
    worker: {
      connectionString: url,
      concurrentJobs: Number(concurrency),
      maxPoolSize: Number(concurrency) + 2,
      ...(batched === "batched" ? local : {}),
    },
  },
  noHandleSignals: true,
  logger: new (await import("graphile-worker")).Logger(() => () => {}),
  taskList: {
    placed: async (payload) => {
      if (payload.sentAt) console.log(`took ${Math.round((performance.timeOrigin + performance.now() - payload.sentAt) * 1000)}`);
    },
  },
});
process.on("SIGTERM", () => runner.stop().then(() => process.exit(0)));
console.log("ready");
