"""What a customer may like: products that sell well in the categories that they buy most of, without those they have."""

from collections import Counter
from dataclasses import dataclass
from heapq import nsmallest

from santokit import LogicError, log, logic, sql

HISTORY = """
    SELECT orderItems.productId, orderItems.quantity, products.category
    FROM orders
    JOIN orderItems ON orderItems.orderId = orders.id
    JOIN products ON products.id = orderItems.productId
    WHERE orders.customerId = ?
"""

SELLING = """
    SELECT products.id, products.name, products.category, products.priceCents, SUM(orderItems.quantity) AS sold
    FROM products
    JOIN orderItems ON orderItems.productId = products.id
    WHERE products.stock > 0
    GROUP BY products.id
"""


@dataclass
class Input:
    customerId: str
    limit: int


@dataclass
class Bought:
    productId: str
    quantity: int
    category: str


@dataclass
class Product:
    id: str
    name: str
    category: str
    priceCents: int
    sold: int


@dataclass
class Suggestion:
    productId: str
    name: str
    priceCents: int
    reason: str


@logic
def recommend(input: Input) -> list[Suggestion]:
    db = sql.open("main")
    taste: Counter[str] = Counter()
    owned = set()
    for line in db.cursor(HISTORY, [input.customerId], Bought):
        taste[line.category] += line.quantity
        owned.add(line.productId)
    if not taste:
        raise LogicError("NO_HISTORY", "this customer has not bought anything yet", {"customerId": input.customerId})

    wanted = (
        product
        for product in db.cursor(SELLING, into=Product)
        if product.id not in owned and product.category in taste
    )
    best = nsmallest(input.limit, wanted, key=lambda product: (-taste[product.category] * product.sold, product.id))
    log.info("recommended", customer=input.customerId, bought=len(owned), taste=dict(taste))
    return [
        Suggestion(product.id, product.name, product.priceCents, f"you bought {taste[product.category]} of {product.category}")
        for product in best
    ]
