---
returns: may
param: {}
connection: man
result: {a: text, "b c": int, d: int}
---
SELECT 1
