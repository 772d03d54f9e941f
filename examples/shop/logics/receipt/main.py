"""The receipt of an order: a PDF in a bucket. It is for events of the topic `order_placed`.

An event can come twice. The receipt is then written twice, under the same key and with the same words: nothing needs to be remembered.
"""

from dataclasses import dataclass

from santokit import Event, config, log, on_event, sql, storage


@dataclass
class Placed:
    orderId: str
    customerId: str
    productId: str
    quantity: int
    totalCents: int
    stockLeft: int


@on_event
def receipt(event: Event, placed: Placed) -> None:
    db = sql.open("main")
    customer = db.value("SELECT name FROM customers WHERE id = ?", [placed.customerId])
    product = db.value("SELECT name FROM products WHERE id = ?", [placed.productId])
    currency = config.get("currency") or ""
    lines = [
        f"Receipt for order {placed.orderId}",
        f"{event.published_at[:10]}, for {customer}",
        "",
        f"{placed.quantity} x {product}",
        f"Total: {placed.totalCents / 100:.2f} {currency}",
    ]
    key = f"{placed.customerId}/{placed.orderId}.pdf"
    storage.bucket("receipts").put(key, pdf(lines), content_type="application/pdf")
    log.info("receipt written", order=placed.orderId)


def pdf(lines: list[str]) -> bytes:
    """One page with these lines. What Latin-1 has no letter for becomes a question mark."""
    shown = " ".join(f"({escaped(line)}) Tj T*" for line in lines)
    text = f"BT /F1 14 Tf 18 TL 60 780 Td {shown} ET".encode("latin-1", "replace")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    file = bytearray(b"%PDF-1.4\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        file += b"%010d 00000 n \n" % place
    file += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(file)


def escaped(line: str) -> str:
    return line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
