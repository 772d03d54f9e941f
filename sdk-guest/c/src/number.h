/* Numbers that a database sends as text: parsed exactly, or not at all. Knows nothing of the host. */
#ifndef STK_NUMBER_H
#define STK_NUMBER_H

#include "santokit.h"

/* A whole number in decimal digits, with an optional sign and an optional fraction of zeros. False where it is none. */
bool stk_parse_int(stk_bytes_view text, int64_t *number);

/* A number in decimal notation, with an optional fraction and exponent. False where it is none or out of range. */
bool stk_parse_float(stk_bytes_view text, double *number);

#endif
