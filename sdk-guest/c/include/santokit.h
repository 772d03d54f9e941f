/*
 * What a Santokit logic written in C includes.
 *
 * A logic is one function, `stk_handle`. It gets the checked params as JSON and answers JSON, or refuses:
 *
 *     #include <santokit.h>
 *
 *     json_t *stk_handle(const json_t *input)
 *     {
 *         const char *id = json_string_value(json_object_get(input, "itemId"));
 *         json_int_t quantity = json_integer_value(json_object_get(input, "quantity"));
 *
 *         stk_db *db = stk_open("main");
 *         stk_tx *tx = stk_begin(db);
 *         stk_rows *item = stk_query_one(db, "SELECT stock FROM items WHERE id = ?", STK_PARAMS(stk_text(id)));
 *         int64_t stock = stk_get_int(item, "stock");
 *         if (stk_failed()) return NULL;
 *         if (stock < quantity) return stk_error("OUT_OF_STOCK", "there is not enough of it", json_pack("{s:I}", "left", stock));
 *         stk_execute(db, "UPDATE items SET stock = stock - ? WHERE id = ?", STK_PARAMS(stk_int(quantity), stk_text(id)));
 *         if (!stk_commit(tx)) return NULL;
 *         return json_pack("{s:I}", "left", stock - quantity);
 *     }
 *
 * JSON is the library Jansson (<https://jansson.readthedocs.io>), which comes along.
 *
 * Errors
 *     A function that fails answers NULL, false or 0 and leaves an error, which stays until stk_clear_error(). While there is
 *     one, every function that would talk to the database, configuration or secrets does nothing and answers the same way, so
 *     that a few calls can be made in a row and looked at once with stk_failed(). Whatever stk_handle answers, a left error is
 *     the logic's answer and open transactions are rolled back: an error that nobody looked at never becomes a success.
 *
 * Memory
 *     Every invocation has an instance of its own, which is thrown away when it ends. So nothing needs to be freed. What the
 *     functions below answer lies in an arena: never give it to `free`. JSON values are Jansson's, and json_decref may give
 *     one back in a long loop. A loop over many rows needs no memory but a batch's (stk_next).
 *
 * Text
 *     Text is UTF-8. What is none is refused as a param of a statement (STK_INVALID; bytes are bound with stk_bytes), and has
 *     `?` in its place in log lines, errors and names.
 *
 * Every function accepts NULL where a handle is expected, and treats it as a failure that was already reported.
 */
#ifndef SANTOKIT_H
#define SANTOKIT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* The version of this SDK. */
#define STK_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
/* Lets the compiler check a format against its arguments. */
#define STK_PRINTF(place, first) __attribute__((__format__(__printf__, place, first)))
/* Warns where the answer is not looked at. */
#define STK_MUST_USE __attribute__((warn_unused_result))
#else
#define STK_PRINTF(place, first)
#define STK_MUST_USE
#endif

/* ---- The logic -------------------------------------------------------------------------------------------------- */

/*
 * The logic: you write it. `input` is an object with the params of logic.yaml: required ones present, defaults filled in, types
 * as declared. Answer any JSON value, or NULL after an error.
 */
json_t *stk_handle(const json_t *input);

/*
 * The logic refuses: `return stk_error(...)`. It reaches the caller as LOGIC_ERROR (422) and rolls back. `code` is for
 * programs (upper case with underscores), `message` for people, `details` is any JSON value or NULL. All of it is seen by the
 * caller: what only an operator should see belongs in a log line. Replaces an earlier error. Answers NULL.
 */
json_t *stk_error(const char *code, const char *message, json_t *details);

/* What kind of error is left. */
typedef enum stk_error_kind {
    STK_OK = 0,
    STK_REFUSED,     /* stk_error was called */
    STK_DENIED,      /* the manifest does not grant this */
    STK_INVALID,     /* the statement, its values or the use of it are not acceptable */
    STK_LIMIT,       /* a limit of the manifest was reached; the message is its name */
    STK_TIMEOUT,     /* the statement ran into its time limit */
    STK_UNAVAILABLE, /* the database cannot be reached now */
    STK_DATABASE,    /* the database refused the statement */
    STK_NOT_FOUND,   /* one row was asked for, and there is none; or a secret is not set */
    STK_TOO_MANY,    /* one row was asked for, and there are several */
    STK_DECODE,      /* a cell, or an answer of a table, does not fit what was asked for */
    STK_OTHER,       /* anything else */
    STK_CRUD_REFUSED /* a request to a table was not done; the failure is what a caller of the Bridge would be told */
} stk_error_kind;

/* The error that is left. Text is never NULL. */
typedef struct stk_failure {
    stk_error_kind kind;
    /*
     * The database's code (SQLSTATE, or `sqlite:<extended code>`), of the catalogue with STK_CRUD_REFUSED (`NOT_FOUND`,
     * `BAD_REQUEST`, `CONFLICT`, ...), or a code of the host's. May be empty.
     */
    const char *code;
    const char *message;
    /* `unique`, `foreign_key`, `not_null` or `check` where a constraint was violated, else empty. */
    const char *constraint;
    /* Whether the same call may succeed when made again. */
    bool retryable;
    /* What to do next, where a table said so, else empty. */
    const char *hint;
    /* With STK_CRUD_REFUSED an object for programs, for example with `errors` or `limit`, else NULL. */
    const json_t *details;
} stk_failure;

/* Whether an error is left. */
bool stk_failed(void);

/* The error that is left; its kind is STK_OK where there is none. */
const stk_failure *stk_last_error(void);

/* Whether the error that is left is a unique index or primary key that was violated. */
bool stk_is_unique_violation(void);

/* Forgets the error: it has been dealt with. */
void stk_clear_error(void);

/*
 * A mistake in the logic itself: logs the message with its place, and traps. The caller gets LOGIC_FAILED, the operator a
 * backtrace.
 */
#define STK_PANIC(...) stk_panic_at(__FILE__, __LINE__, __VA_ARGS__)

/* What STK_PANIC calls. */
_Noreturn void stk_panic_at(const char *file, int line, const char *format, ...) STK_PRINTF(3, 4);

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

/* Zeroed memory that lives as long as the invocation, aligned for any type. Never NULL: without memory the logic traps. */
void *stk_alloc(size_t size);

/* A copy of text that lives as long as the invocation; NULL for NULL. */
char *stk_copy(const char *text);

/* Text as printf makes it, living as long as the invocation. */
char *stk_format(const char *format, ...) STK_PRINTF(1, 2);

/* ---- SQL: values ------------------------------------------------------------------------------------------------ */

/* What a value is. */
typedef enum stk_type {
    STK_NULL = 0,
    STK_BOOL = 1,
    STK_INT = 2,
    STK_FLOAT = 3,
    STK_TEXT = 4,
    STK_BYTES = 5,
    /* Text with the name of its type: ("decimal", "1.20"), ("timestamp", "2026-01-31T08:00:00.000001Z"), ("json", "{...}"). */
    STK_TYPED = 6
} stk_type;

/* Bytes with their length. Text in it is UTF-8 and not ended by a zero. */
typedef struct stk_bytes_view {
    const uint8_t *data;
    size_t length;
} stk_bytes_view;

/* A value: bound to a placeholder, or a cell of a row. Make one with the functions below. */
typedef struct stk_value {
    stk_type type;
    union {
        bool boolean;
        int64_t integer;
        double number;
        stk_bytes_view bytes; /* STK_TEXT, STK_BYTES and STK_TYPED */
    } as;
    /* The name of the type, for STK_TYPED only. */
    stk_bytes_view type_name;
} stk_value;

/* NULL. */
stk_value stk_null(void);
/* A boolean. */
stk_value stk_bool(bool value);
/* A whole number. */
stk_value stk_int(int64_t value);
/* A floating-point number. */
stk_value stk_float(double value);
/* Text, ended by a zero; NULL becomes SQL's NULL. It is not copied. */
stk_value stk_text(const char *text);
/* Text of a length. It is not copied. */
stk_value stk_text_of(const char *text, size_t length);
/* Bytes. They are not copied. */
stk_value stk_bytes(const void *data, size_t length);
/* A decimal number as text, so that no digit is lost: stk_decimal("19.90"). */
stk_value stk_decimal(const char *text);
/* A value bound as JSON. */
stk_value stk_json(const json_t *value);
/* Text with the name of its type. Neither is copied. */
stk_value stk_typed(const char *type_name, const char *text);

/* The values of a statement's placeholders, in order: STK_PARAMS(stk_text(id), stk_int(3)). */
#define STK_PARAMS(...) \
    ((const stk_value[]){__VA_ARGS__}), (sizeof((const stk_value[]){__VA_ARGS__}) / sizeof(stk_value))

/* No placeholders. */
#define STK_NO_PARAMS ((const stk_value *)NULL), ((size_t)0)

/* ---- SQL: statements -------------------------------------------------------------------------------------------- */

/* A database of the project. */
typedef struct stk_db stk_db;
/* An open transaction. */
typedef struct stk_tx stk_tx;
/* Rows, read one after the other. */
typedef struct stk_rows stk_rows;

/* Opens a connection of the project by its name, for example "main". NULL after an error. */
stk_db *stk_open(const char *name);

/* For example "sqlite", "postgres", "mysql". */
const char *stk_engine(stk_db *db);

/*
 * Runs a query; read the rows with stk_next. All of them are in memory: for a large result see stk_cursor. SQL text is one
 * statement; placeholders are `?` on SQLite and MySQL and `$1` ... on PostgreSQL. NULL after an error.
 *
 * While a transaction is open on the connection, statements belong to the innermost one.
 */
stk_rows *stk_query(stk_db *db, const char *sql, const stk_value *params, size_t param_count);

/* Runs a query for exactly one row, which is the current one. STK_NOT_FOUND or STK_TOO_MANY otherwise. */
stk_rows *stk_query_one(stk_db *db, const char *sql, const stk_value *params, size_t param_count);

/* Runs a query for at most one row. NULL where there is none, without an error. */
stk_rows *stk_query_optional(stk_db *db, const char *sql, const stk_value *params, size_t param_count);

/* Runs a statement for its effect; the number of rows affected, -1 after an error. */
int64_t stk_execute(stk_db *db, const char *sql, const stk_value *params, size_t param_count);

/* Runs a query whose rows are fetched in parts while they are read: any number of rows in little memory. */
stk_rows *stk_cursor(stk_db *db, const char *sql, const stk_value *params, size_t param_count);

/*
 * Goes to the next row: `while (stk_next(rows)) { ... }`. False at the end, or after an error (stk_failed() tells). Text and
 * bytes of the row before are gone then; stk_copy keeps them.
 */
bool stk_next(stk_rows *rows);

/* Lets go of rows before their end: of use for cursors, of which a logic may have only some at a time. */
void stk_close(stk_rows *rows);

/* The number of columns. */
size_t stk_column_count(const stk_rows *rows);
/* The name of a column, from 0; NULL beyond the last. */
const char *stk_column_name(const stk_rows *rows, size_t index);
/* The type of a column: the schema's name where it is known (`int`, `string`, ...), else the database's own. */
const char *stk_column_type(const stk_rows *rows, size_t index);
/* The place of a column, or -1. */
int stk_column_index(const stk_rows *rows, const char *name);

/*
 * Cells of the current row by the column's name. A column that is not there and a cell that does not fit are STK_DECODE
 * errors; so is NULL, but for stk_get_text and stk_is_null.
 */

/* Whether the cell is NULL. */
bool stk_is_null(stk_rows *rows, const char *column);
/* A whole number; also one that comes as text (`bigint`, `decimal` without a fraction). */
int64_t stk_get_int(stk_rows *rows, const char *column);
/* A number. */
double stk_get_float(stk_rows *rows, const char *column);
/* A boolean; also 0 and 1, because SQLite has no other. */
bool stk_get_bool(stk_rows *rows, const char *column);
/* Text ended by a zero, also of what has a type name (decimals, timestamps, JSON); NULL for NULL. Lives until stk_next. */
const char *stk_get_text(stk_rows *rows, const char *column);
/* Bytes, or text as bytes. Live until stk_next. */
stk_bytes_view stk_get_bytes(stk_rows *rows, const char *column);
/* JSON that is parsed. Lives as long as the invocation. */
json_t *stk_get_json(stk_rows *rows, const char *column);

/* The bare cell of the current row by its place, from 0. Lives until stk_next. */
stk_value stk_cell(stk_rows *rows, size_t index);

/* The current row as a JSON object, by column name. Decimals stay text, JSON becomes JSON; bytes are an STK_DECODE error. */
json_t *stk_row_json(stk_rows *rows);

/* ---- SQL: transactions ------------------------------------------------------------------------------------------ */

/*
 * Begins a transaction. One begun inside another is a savepoint of it. Where stk_handle ends without stk_commit, by an error,
 * a trap or simply so, it is rolled back. NULL after an error.
 */
stk_tx *stk_begin(stk_db *db);

/* Makes the changes last. Where an error is left it rolls back instead and answers false. */
bool stk_commit(stk_tx *tx) STK_MUST_USE;

/* Takes the changes back. Works while an error is left, and keeps that error. */
bool stk_rollback(stk_tx *tx);

/*
 * Runs `work` in a transaction: commits where it answers true and left no error, rolls back otherwise. True where it was
 * committed.
 */
bool stk_transaction(stk_db *db, bool (*work)(stk_db *db, void *data), void *data) STK_MUST_USE;

/* ---- Declared queries ------------------------------------------------------------------------------------------- */

/* A param of a query: its name and its value. */
typedef struct stk_named {
    const char *name;
    stk_value value;
} stk_named;

/* The params of a query by name: STK_NAMED({"customerId", stk_text(id)}, {"limit", stk_int(10)}). */
#define STK_NAMED(...) \
    ((const stk_named[]){__VA_ARGS__}), (sizeof((const stk_named[]){__VA_ARGS__}) / sizeof(stk_named))

/* No params. */
#define STK_NO_NAMED ((const stk_named *)NULL), ((size_t)0)

/*
 * The queries of the project (`queries/NAME.sql`), called by name. Each needs `grants.queries`, and none needs a grant of SQL.
 * Params are checked as the query declares them. Rows are read as those of stk_query. NULL after an error.
 */
stk_rows *stk_queries_many(const char *query, const stk_named *params, size_t param_count);

/* The row of a query that returns one, which is the current one. STK_NOT_FOUND or STK_TOO_MANY otherwise, and nothing was changed. */
stk_rows *stk_queries_one(const char *query, const stk_named *params, size_t param_count);

/* Runs a query that returns `exec`; the number of rows affected, -1 after an error. */
int64_t stk_queries_execute(const char *query, const stk_named *params, size_t param_count);

/* A query that returns many, whose rows are fetched in parts while they are read. */
stk_rows *stk_queries_cursor(const char *query, const stk_named *params, size_t param_count);

/*
 * Begins a transaction on a connection that a granted query is on; stk_commit and stk_rollback end it. Every query of that
 * connection belongs to the innermost open one. NULL after an error.
 */
stk_tx *stk_queries_begin(const char *connection);

/* ---- Requests to tables ----------------------------------------------------------------------------------------- */

/*
 * The params, rules and answers of `POST /db/{table}/{verb}`. They need `grants.crud`, which says for whom the tables are asked:
 * `as: caller`, or `as: service` with roles of its own. What a rule does not give is as if it were not there.
 *
 *     json_t *open = stk_crud_select("orders", json_pack("{s:{s:s}}", "where", "status", "open"));
 *     json_t *paid = json_pack("{s:{s:s},s:{s:s}}", "where", "id", id, "data", "status", "paid");
 *     int64_t changed = stk_crud_update("orders", paid);
 *
 * Params are an object, with json_object() for none, and stay the caller's. NULL is STK_INVALID: json_pack answers it where its
 * format does not fit the values. Rows are an array of objects by column name; `bigint` and `decimal` are text, and so are times.
 * What a table refuses is STK_CRUD_REFUSED.
 */

/* Rows, and how they go on. */
typedef struct stk_page {
    json_t *rows;
    /* For the param `cursor` of the next request; NULL at the end. */
    const char *next_cursor;
    /* How many there are in all, where `"count": true` asks for it, else -1. */
    int64_t total;
} stk_page;

/* Reads rows. NULL after an error. */
json_t *stk_crud_select(const char *table, const json_t *params);

/* Reads rows, with the cursor for those that follow and the total. NULL after an error. */
const stk_page *stk_crud_page(const char *table, const json_t *params);

/*
 * Adds rows: {"data": {...}}, or a list. The rows as they are now, as far as they may be read: none of a table that may not be read, or with
 * "returning": false. NULL after an error.
 */
json_t *stk_crud_insert(const char *table, const json_t *params);

/* Changes rows: {"where": {...}, "data": {...}}. How many, -1 after an error. */
int64_t stk_crud_update(const char *table, const json_t *params);

/* The same; the rows as they are now. NULL after an error. */
json_t *stk_crud_update_returning(const char *table, const json_t *params);

/* Removes rows: {"where": {...}}. How many, -1 after an error. */
int64_t stk_crud_delete(const char *table, const json_t *params);

/* The same; the rows as they were. NULL after an error. */
json_t *stk_crud_delete_returning(const char *table, const json_t *params);

/*
 * Several calls, all or nothing: [{"path": "db/orders/insert", "params": {...}}]. What each answers, in an array of objects with
 * `data` (rows, or {"affected": 1}) and sometimes `meta` (`nextCursor`, `total`). NULL after an error.
 */
json_t *stk_crud_batch(const json_t *calls);

/*
 * The same in a transaction of stk_begin: a request sees what the transaction has done, and is undone with it. One that fails has
 * done nothing, and the transaction goes on once the error is cleared. While a transaction is open on a table's database, a
 * request that does not belong to it is STK_INVALID.
 */

/* See stk_crud_select. */
json_t *stk_crud_select_within(stk_tx *tx, const char *table, const json_t *params);
/* See stk_crud_page. */
const stk_page *stk_crud_page_within(stk_tx *tx, const char *table, const json_t *params);
/* See stk_crud_insert. */
json_t *stk_crud_insert_within(stk_tx *tx, const char *table, const json_t *params);
/* See stk_crud_update. */
int64_t stk_crud_update_within(stk_tx *tx, const char *table, const json_t *params);
/* See stk_crud_update_returning. */
json_t *stk_crud_update_returning_within(stk_tx *tx, const char *table, const json_t *params);
/* See stk_crud_delete. */
int64_t stk_crud_delete_within(stk_tx *tx, const char *table, const json_t *params);
/* See stk_crud_delete_returning. */
json_t *stk_crud_delete_returning_within(stk_tx *tx, const char *table, const json_t *params);
/* See stk_crud_batch. */
json_t *stk_crud_batch_within(stk_tx *tx, const json_t *calls);

/* ---- Log -------------------------------------------------------------------------------------------------------- */

/* How much a line matters. */
typedef enum stk_level { STK_TRACE = 0, STK_DEBUG = 1, STK_INFO = 2, STK_WARN = 3, STK_ERROR = 4 } stk_level;

/* A key and a value beside a log line's message. */
typedef struct stk_field {
    const char *key;
    const char *value;
} stk_field;

/* Writes one line with fields. The operator sees it, the caller does not. Beyond the manifest's `logBytes` lines are dropped. */
void stk_log_fields(stk_level level, const char *message, const stk_field *fields, size_t field_count);

/* The fields of a line: STK_FIELDS({"item", id}, {"left", "3"}). */
#define STK_FIELDS(...) \
    ((const stk_field[]){__VA_ARGS__}), (sizeof((const stk_field[]){__VA_ARGS__}) / sizeof(stk_field))

/* Writes one line as printf makes it. */
void stk_log(stk_level level, const char *format, ...) STK_PRINTF(2, 3);

/* One line at a level: stk_info("sold %d of %s", quantity, id). */
#define stk_trace(...) stk_log(STK_TRACE, __VA_ARGS__)
/* What helps to find a mistake. */
#define stk_debug(...) stk_log(STK_DEBUG, __VA_ARGS__)
/* What happened. */
#define stk_info(...) stk_log(STK_INFO, __VA_ARGS__)
/* What should not have happened, and was dealt with. */
#define stk_warn(...) stk_log(STK_WARN, __VA_ARGS__)
/* What failed. */
#define stk_error_line(...) stk_log(STK_ERROR, __VA_ARGS__)

/* ---- Configuration and secrets ---------------------------------------------------------------------------------- */

/* A configuration value as text; NULL where the env sets nothing. Needs `grants.config`: STK_DENIED otherwise. */
const char *stk_config(const char *name);

/* A secret. Needs `grants.secrets`; STK_NOT_FOUND where the env has none of the name. Never log one. */
const char *stk_secret(const char *name);

/* ---- Time ------------------------------------------------------------------------------------------------------- */

/* A moment, UTC. */
typedef struct stk_datetime {
    /* Since 1970-01-01T00:00:00Z. */
    int64_t seconds;
    /* 0 to 999,999,999. */
    uint32_t nanoseconds;
} stk_datetime;

/* The wall clock. */
stk_datetime stk_now(void);
/* RFC 3339 with microseconds, as JSON and SQL have it: 2026-01-31T08:00:00.000001Z. */
char *stk_datetime_text(stk_datetime moment);
/* A moment to bind. */
stk_value stk_timestamp(stk_datetime moment);
/* Nanoseconds since this invocation began. Coarse: the step is a microsecond or more. */
uint64_t stk_elapsed(void);
/* Milliseconds until the host stops this invocation. */
uint32_t stk_remaining(void);

/* ---- Randomness ------------------------------------------------------------------------------------------------- */

/* Cryptographically secure random bytes, any number of them. */
void stk_random(void *buffer, size_t length);
/* A random number below `limit`, each equally likely; 0 where `limit` is 0. */
uint64_t stk_random_below(uint64_t limit);
/* A random UUID, version 4. */
char *stk_uuid(void);

/* ---- Context ---------------------------------------------------------------------------------------------------- */

/* Who called. */
typedef struct stk_caller {
    /* `anonymous`, `apiKey`, `user` or `system` (cron, events). New kinds may appear. */
    const char *kind;
    /* The API key's id or the end user's `sub`; NULL when anonymous. */
    const char *subject;
    /* The roles that the Bridge has verified. */
    const char *const *roles;
    size_t role_count;
    /* Further claims of the credential, an object. */
    const json_t *claims;
} stk_caller;

/* What is being run. */
typedef struct stk_invocation {
    /* The id in X-Request-Id and in every log line. */
    const char *request_id;
    /* The logic's name, for example "pricing/quote". */
    const char *logic;
    const char *project;
    const char *env;
    /* The release that answers. */
    const char *release_id;
    /* `request`, `call` (from another logic), `event`, `cron` or `test`. New kinds may appear. */
    const char *trigger;
} stk_invocation;

/* Who called this invocation. */
const stk_caller *stk_get_caller(void);
/* Whether the caller has the role. */
bool stk_has_role(const char *role);
/* What this invocation is. */
const stk_invocation *stk_get_invocation(void);

#ifdef __cplusplus
}
#endif

#endif
