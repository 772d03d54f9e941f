/**
 * What a Santokit logic written in TypeScript or JavaScript imports.
 *
 * ```ts
 * import { logic, LogicError, sql } from "@santokit/guest";
 *
 * interface Input { itemId: string; quantity: number }
 * interface Output { left: number }
 *
 * export default logic<Input, Output>((input) => {
 *   const db = sql.open("main");
 *   return db.transaction((tx) => {
 *     const stock = tx.queryValue<number>("SELECT stock FROM items WHERE id = ?", [input.itemId]);
 *     if (stock < input.quantity) throw new LogicError("OUT_OF_STOCK", "there is not enough of it", { stock });
 *     tx.execute("UPDATE items SET stock = stock - ? WHERE id = ?", [input.quantity, input.itemId]);
 *     return { left: stock - input.quantity };
 *   });
 * });
 * ```
 *
 * Everything is synchronous: the host waits, the guest need not. A handler must not be `async`.
 */

export { logic } from "./logic.ts";
export type { Context, Handler, Logic } from "./logic.ts";
export { eventHandler } from "./event-handler.ts";
export type { Event, EventHandler, OnEvent } from "./event-handler.ts";
export { cronHandler } from "./cron-handler.ts";
export type { CronHandler, OnCron, Run } from "./cron-handler.ts";
export { LogicError } from "./error.ts";
export * as clock from "./clock.ts";
export * as config from "./config.ts";
export * as context from "./context.ts";
export type { Caller, Invocation } from "./context.ts";
export * as crud from "./crud.ts";
export * as events from "./events.ts";
export * as http from "./http.ts";
export * as log from "./log.ts";
export * as logics from "./logics.ts";
export { once, OnceError } from "./once.ts";
export * as queries from "./queries.ts";
export * as random from "./random.ts";
export * as secrets from "./secrets.ts";
export * as sql from "./sql.ts";
export * as storage from "./storage.ts";
