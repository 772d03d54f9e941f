//! The logic `purchase`: one transaction over stock, order, item, and the event that tells of them. Out of stock is an answer, not a failure.

use santokit_guest::{prelude::*, random};
use serde_json::json;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Purchase {
    customer_id: String,
    product_id: String,
    quantity: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    order_id: String,
    total_cents: i64,
    stock_left: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    price_cents: i64,
    stock: i64,
}

fn handle(purchase: Purchase) -> Result<Receipt, LogicError> {
    let Purchase { customer_id, product_id, quantity } = &purchase;
    let db = sql::open("main")?;
    db.transaction(|tx| {
        if tx.query("SELECT id FROM customers WHERE id = ?", params![customer_id])?.is_empty() {
            return Err(LogicError::new("UNKNOWN_CUSTOMER", "there is no such customer"));
        }
        let product: Product = tx
            .query_optional("SELECT priceCents, stock FROM products WHERE id = ?", params![product_id])?
            .ok_or_else(|| LogicError::new("UNKNOWN_PRODUCT", "there is no such product"))?;
        // The condition is in the UPDATE, so that two buyers of the last piece cannot both have it.
        let taken = tx.execute(
            "UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ?",
            params![quantity, product_id, quantity],
        )?;
        if taken == 0 {
            let details = json!({"productId": product_id, "available": product.stock, "wanted": quantity});
            return Err(LogicError::new("OUT_OF_STOCK", "not enough pieces are left").details(details));
        }
        let (order_id, item_id) = (new_id("o"), new_id("i"));
        let total_cents = product.price_cents * quantity;
        tx.execute(
            "INSERT INTO orders (id, customerId, totalCents) VALUES (?, ?, ?)",
            params![order_id, customer_id, total_cents],
        )?;
        tx.execute(
            "INSERT INTO orderItems (id, orderId, productId, quantity, priceCents) VALUES (?, ?, ?, ?, ?)",
            params![item_id, order_id, product_id, quantity, product.price_cents],
        )?;
        let stock_left = product.stock - quantity;
        let placed = json!({
            "orderId": order_id, "customerId": customer_id, "productId": product_id,
            "quantity": quantity, "totalCents": total_cents, "stockLeft": stock_left,
        });
        // It comes with the commit, and never without.
        events::within(tx).publish("order_placed", placed)?;
        log::info("sold", &[("product", product_id), ("order", &order_id)]);
        Ok(Receipt { order_id, total_cents, stock_left })
    })
}

fn new_id(prefix: &str) -> String {
    let hex: String = random::bytes(12).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}-{hex}")
}

santokit_guest::logic!(handle);
