/* How rows come to be: from a packed result or from a cursor. Reading them is santokit.h's. */
#ifndef STK_ROWS_H
#define STK_ROWS_H

#include "host.h"

/* Rows of a whole result. Takes over what it is given. */
stk_rows *stk_rows_of_result(santokit_sql_types_packed_rows_t *packed);

/* What a cursor gave; nothing at its end. */
typedef struct stk_host_batch {
    bool is_some;
    santokit_sql_types_batch_t batch;
} stk_host_batch;

/* A cursor of the host, whichever interface it is of: a logic that uses one interface does not import the other. */
typedef struct stk_host_cursor {
    int32_t handle;
    bool (*next_batch)(int32_t handle, uint32_t rows, uint32_t bytes, stk_host_batch *batch, santokit_sql_types_error_t *error);
    void (*drop)(int32_t handle);
} stk_host_cursor;

/* Rows of a cursor. Takes it over, and its columns. */
stk_rows *stk_rows_of_cursor(stk_host_cursor cursor, santokit_sql_types_column_t *columns, size_t column_count);

/* Whether another row follows the current one. The current one stays, but for a cursor's. */
bool stk_has_more(stk_rows *rows);

/* Whether the handle may be used: false where an error is left; NULL is one. */
bool stk_usable(const void *handle);

/* The resources of the host that are open, newest first: what is left of them goes at the end. */
typedef struct stk_open {
    struct stk_open *older;
    void (*close)(struct stk_open *self);
    bool is_closed;
} stk_open_handle;

/* Remembers a resource. */
void stk_remember(stk_open_handle *handle, void (*close)(stk_open_handle *self));

/* Closes a resource once. */
void stk_forget(stk_open_handle *handle);

#endif
