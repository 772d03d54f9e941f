---
auth: public
params:
  s: {type: string, maxLength: 5, pattern: "^[a-z]*$"}
  i: {type: int, min: -5, max: 5}
  b: {type: bigint}
  f: {type: float}
  d: {type: decimal}
  t: {type: boolean}
  at: {type: timestamp}
  raw: {type: bytes}
---
SELECT :s AS s, :i AS i, :b AS b, :f AS f, :d AS d, :t AS t, :at AS at, :raw AS raw
