// The logic `quote`: a price with a discount for quantity.

import { config, logic, LogicError, sql } from "@santokit/guest";
import type { ProductsRow, QuoteParams } from "@santokit/project";

interface Output {
  name: string;
  discountPercent: number;
  totalCents: number;
  currency: string | undefined;
}

// Change this line while `stk dev` runs, and ask again.
const DISCOUNT_PERCENT = 10;
const DISCOUNT_FROM = 10;

export default logic<QuoteParams, Output>(({ productId, quantity }) => {
  const product = sql
    .open("main")
    .queryOptional<Pick<ProductsRow, "name" | "priceCents">>("SELECT name, priceCents FROM products WHERE id = ?", [productId]);
  if (product === undefined) throw new LogicError("UNKNOWN_PRODUCT", "there is no such product");
  const discountPercent = quantity >= DISCOUNT_FROM ? DISCOUNT_PERCENT : 0;
  const totalCents = Math.round(product.priceCents * quantity * (1 - discountPercent / 100));
  return { name: product.name, discountPercent, totalCents, currency: config.get("currency") };
});
