/* Whether bytes are text. The host takes text only: bytes that are none would end the logic. Knows nothing of the host. */
#ifndef STK_UTF8_H
#define STK_UTF8_H

#include "santokit.h"

/* How many bytes from the beginning are UTF-8; all of them where the text is. NULL has none. */
size_t stk_utf8_length(const uint8_t *bytes, size_t length);

/* Puts a question mark in the place of every byte that is no UTF-8. */
void stk_utf8_repair(uint8_t *bytes, size_t length);

/* The longest beginning, of at most `length` bytes, that does not cut a character in two. */
size_t stk_utf8_cut(const uint8_t *bytes, size_t length);

#endif
