/* Moments as text. Knows nothing of the host. */
#ifndef STK_DATETIME_H
#define STK_DATETIME_H

#include "santokit.h"

/* The longest text, with the zero at its end. */
#define STK_DATETIME_SIZE 64

/* RFC 3339 with microseconds. */
void stk_datetime_write(stk_datetime moment, char text[STK_DATETIME_SIZE]);

#endif
