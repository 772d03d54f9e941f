/*
 * Rows in one byte string, format 1 of `santokit:sql/types.batch`. Reads only, and never beyond the end: what the bytes say
 * about themselves is not believed. Knows nothing of the host, so that it is tested where the sanitizers are.
 */
#ifndef STK_PACKED_H
#define STK_PACKED_H

#include "santokit.h"

/* The format that this version reads. */
#define STK_PACKED_FORMAT 1u

/* Bytes that are read one cell after the other. */
typedef struct stk_packed {
    const uint8_t *next;
    size_t left;
} stk_packed;

/* Why a cell could not be read; NULL where it could. */
typedef const char *stk_packed_problem;

/* The next cell. It points into the bytes. After a problem nothing more can be read. */
stk_packed_problem stk_packed_cell(stk_packed *packed, stk_value *cell);

#endif
