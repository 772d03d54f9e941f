// What is nearly sold out is noted for who orders it again. It is for events of the topic `order_placed` that its subscription lets through.

import { eventHandler, log, once, sql } from "@santokit/guest";

interface Placed {
  productId: string;
  stockLeft: number;
}

export const onEvent = eventHandler<Placed>((event, { productId, stockLeft }) => {
  // An event can come twice. Row and mark are stored together, so that the second time nothing is done.
  sql.open("main").transaction((tx) => {
    once(
      event.id,
      () => tx.execute("INSERT INTO stockAlerts (id, productId, stock) VALUES (?, ?, ?)", [event.id, productId, stockLeft]),
      { within: tx },
    );
  });
  log.warn("nearly sold out", { product: productId, left: stockLeft });
});
