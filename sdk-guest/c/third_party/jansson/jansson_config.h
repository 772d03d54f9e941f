/* Jansson's public configuration for wasm32-wasi: what its own configure script would write. */
#ifndef JANSSON_CONFIG_H
#define JANSSON_CONFIG_H

#define JSON_INLINE inline
#define JSON_INTEGER_IS_LONG_LONG 1

/* One thread: reference counts need no atomics. */
#define JSON_HAVE_ATOMIC_BUILTINS 0
#define JSON_HAVE_SYNC_BUILTINS 0

/* The parser recurses; this deep it needs less than half of the stack that `stk` gives a guest. */
#define JSON_PARSER_MAX_DEPTH 256

#endif
