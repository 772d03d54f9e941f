/* Jansson's private configuration for wasm32-wasi: what its own configure script would write. */
#ifndef JANSSON_PRIVATE_CONFIG_H
#define JANSSON_PRIVATE_CONFIG_H

#define HAVE_ENDIAN_H 1
#define HAVE_STDINT_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_INT32_T 1
#define HAVE_UINT32_T 1
#define HAVE_UINT16_T 1
#define HAVE_UINT8_T 1
#define HAVE_SSIZE_T 1

/* The shortest text that reads back as the same number: 0.1, not 0.10000000000000001. */
#define DTOA_ENABLED 1

#define INITIAL_HASHTABLE_ORDER 3

#endif
