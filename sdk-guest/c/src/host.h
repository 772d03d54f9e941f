/*
 * What the files of the SDK share, and nothing else sees: the border to the generated bindings, errors with their outward face,
 * and memory.
 */
#ifndef STK_HOST_H
#define STK_HOST_H

#include "logic.h"
#include "santokit.h"

/* ---- Strings over the border ---- */

/* Text for the host, ended by a zero. It is copied only where it is no UTF-8: `?` takes the place of what is not. */
logic_string_t stk_to_host(const char *text);

/* The same with a length. */
logic_string_t stk_text_to_host(stk_bytes_view text);

/* Text of the host, copied into the arena and ended by a zero; the host's is freed. */
char *stk_from_host(logic_string_t *text);

/* ---- Errors ---- */

/* The code and the message that a caller gets for a failure; those of the failure itself go to the log. */
typedef struct stk_face {
    const char *code;
    const char *message;
} stk_face;

/* Leaves an error, unless one is left. */
void stk_fail(stk_error_kind kind, stk_face face, const char *code, const char *message);

/* The same with all that is known of it. */
void stk_fail_with(stk_face face, const stk_failure *known);

/* Leaves an error of the logic's use of the database. */
void stk_fail_sql(stk_error_kind kind, const char *message);

/* Leaves the error of a statement. What it owns is freed. */
void stk_fail_host(santokit_sql_types_error_t *error);

/* Closes what is still open, newest first: a transaction that was not committed is rolled back. */
void stk_release_all(void);

/* ---- Log ---- */

/* Writes a line. */
void stk_host_log(stk_level level, stk_bytes_view message, const stk_field *fields, size_t field_count);

/* Writes what printf has not ended with a new line yet. */
void stk_flush_output(void);

/* ---- Memory ---- */

/* Memory that is not the arena's and grows; traps where there is none. */
void *stk_grow(void *memory, size_t size);

#endif
