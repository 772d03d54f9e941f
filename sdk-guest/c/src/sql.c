#include "params.h"
#include "rows.h"
#include "transaction.h"

#include <stdlib.h>
#include <string.h>

struct stk_db {
    stk_open_handle open;
    santokit_sql_connections_own_connection_t own;
};

static stk_open_handle *newest;

void stk_remember(stk_open_handle *handle, void (*close)(stk_open_handle *self))
{
    handle->older = newest;
    handle->close = close;
    newest = handle;
}

void stk_forget(stk_open_handle *handle)
{
    if (handle->is_closed) return;
    handle->is_closed = true;
    handle->close(handle);
}

void stk_release_all(void)
{
    for (; newest != NULL; newest = newest->older) stk_forget(newest);
}

bool stk_usable(const void *handle)
{
    if (handle == NULL) stk_fail_sql(STK_INVALID, "a database, transaction or row was used that is NULL");
    return !stk_failed();
}

/* ---- Connections ---- */

static santokit_sql_connections_borrow_connection_t borrow(const stk_db *db)
{
    return santokit_sql_connections_borrow_connection(db->own);
}

static void drop_db(stk_open_handle *self)
{
    santokit_sql_connections_connection_drop_own(((stk_db *)self)->own);
}

stk_db *stk_open(const char *name)
{
    if (stk_failed()) return NULL;
    logic_string_t wanted = stk_to_host(name);
    santokit_sql_connections_own_connection_t own;
    santokit_sql_types_error_t error;
    if (!santokit_sql_connections_open(&wanted, &own, &error)) {
        stk_fail_host(&error);
        return NULL;
    }
    stk_db *db = stk_alloc(sizeof *db);
    db->own = own;
    stk_remember(&db->open, drop_db);
    return db;
}

const char *stk_engine(stk_db *db)
{
    if (!stk_usable(db)) return "";
    logic_string_t engine;
    santokit_sql_connections_method_connection_engine(borrow(db), &engine);
    return stk_from_host(&engine);
}

/* ---- Statements ---- */

/* A statement on its way to the host. */
typedef struct statement {
    logic_string_t sql;
    santokit_sql_connections_list_value_t params;
} statement;

static bool prepare(statement *statement, const stk_db *db, const char *sql, const stk_value *params, size_t param_count)
{
    if (!stk_usable(db)) return false;
    if (params == NULL && param_count > 0) {
        stk_fail_sql(STK_INVALID, "the params are NULL");
        return false;
    }
    for (size_t i = 0; i < param_count; i++) {
        if (!stk_param_fits(&params[i], stk_format("%zu", i + 1))) return false;
    }
    if (sql == NULL || !stk_is_text((stk_bytes_view){(const uint8_t *)sql, strlen(sql)})) {
        stk_fail_sql(STK_INVALID, sql == NULL ? "the statement is NULL" : "the statement is no UTF-8 text");
        return false;
    }
    statement->sql = stk_to_host(sql);
    statement->params = (santokit_sql_connections_list_value_t){NULL, param_count};
    if (param_count > 0) {
        if (param_count > SIZE_MAX / sizeof *statement->params.ptr) STK_PANIC("too many params");
        statement->params.ptr = stk_grow(NULL, param_count * sizeof *statement->params.ptr);
    }
    for (size_t i = 0; i < param_count; i++) statement->params.ptr[i] = stk_param_to_host(&params[i]);
    return true;
}

stk_rows *stk_query(stk_db *db, const char *sql, const stk_value *params, size_t param_count)
{
    statement run;
    if (!prepare(&run, db, sql, params, param_count)) return NULL;
    santokit_sql_types_packed_rows_t packed;
    santokit_sql_types_error_t error;
    bool done =
        santokit_sql_connections_method_connection_query_packed(borrow(db), &run.sql, &run.params, &packed, &error);
    free(run.params.ptr);
    if (done) return stk_rows_of_result(&packed);
    stk_fail_host(&error);
    return NULL;
}

stk_rows *stk_query_optional(stk_db *db, const char *sql, const stk_value *params, size_t param_count)
{
    stk_rows *rows = stk_query(db, sql, params, param_count);
    if (rows == NULL || !stk_next(rows)) return NULL;
    if (stk_has_more(rows)) {
        stk_fail_sql(STK_TOO_MANY, "one row was asked for and several came");
        return NULL;
    }
    return rows;
}

stk_rows *stk_query_one(stk_db *db, const char *sql, const stk_value *params, size_t param_count)
{
    stk_rows *rows = stk_query_optional(db, sql, params, param_count);
    if (rows == NULL) stk_fail_sql(STK_NOT_FOUND, "one row was asked for and none came");
    return rows;
}

int64_t stk_execute(stk_db *db, const char *sql, const stk_value *params, size_t param_count)
{
    statement run;
    if (!prepare(&run, db, sql, params, param_count)) return -1;
    uint64_t affected;
    santokit_sql_types_error_t error;
    bool done = santokit_sql_connections_method_connection_execute(borrow(db), &run.sql, &run.params, &affected, &error);
    free(run.params.ptr);
    if (done) return affected > INT64_MAX ? INT64_MAX : (int64_t)affected;
    stk_fail_host(&error);
    return -1;
}

static bool next_batch(int32_t handle, uint32_t rows, uint32_t bytes, stk_host_batch *batch, santokit_sql_types_error_t *error)
{
    santokit_sql_connections_option_batch_t next;
    santokit_sql_connections_borrow_cursor_t cursor = {handle};
    if (!santokit_sql_connections_method_cursor_next_batch(cursor, rows, bytes, &next, error)) return false;
    *batch = (stk_host_batch){next.is_some, next.val};
    return true;
}

static void drop_cursor(int32_t handle)
{
    santokit_sql_connections_cursor_drop_own((santokit_sql_connections_own_cursor_t){handle});
}

stk_rows *stk_cursor(stk_db *db, const char *sql, const stk_value *params, size_t param_count)
{
    statement run;
    if (!prepare(&run, db, sql, params, param_count)) return NULL;
    santokit_sql_connections_own_cursor_t cursor;
    santokit_sql_types_error_t error;
    bool done =
        santokit_sql_connections_method_connection_open_cursor(borrow(db), &run.sql, &run.params, &cursor, &error);
    free(run.params.ptr);
    if (!done) {
        stk_fail_host(&error);
        return NULL;
    }
    santokit_sql_connections_list_column_t columns;
    santokit_sql_connections_method_cursor_columns(santokit_sql_connections_borrow_cursor(cursor), &columns);
    stk_host_cursor source = {cursor.__handle, next_batch, drop_cursor};
    return stk_rows_of_cursor(source, columns.ptr, columns.len);
}

/* ---- Transactions ---- */

static bool commit(int32_t handle, santokit_sql_types_error_t *error)
{
    return santokit_sql_connections_method_transaction_commit((santokit_sql_connections_borrow_transaction_t){handle}, error);
}

static bool rollback(int32_t handle, santokit_sql_types_error_t *error)
{
    return santokit_sql_connections_method_transaction_rollback((santokit_sql_connections_borrow_transaction_t){handle}, error);
}

static void drop_tx(int32_t handle)
{
    santokit_sql_connections_transaction_drop_own((santokit_sql_connections_own_transaction_t){handle});
}

stk_tx *stk_begin(stk_db *db)
{
    if (!stk_usable(db)) return NULL;
    logic_list_tuple2_string_string_t options = {NULL, 0};
    santokit_sql_connections_own_transaction_t own;
    santokit_sql_types_error_t error;
    if (santokit_sql_connections_method_connection_begin(borrow(db), &options, &own, &error)) {
        return stk_tx_of((stk_host_transaction){own.__handle, true, commit, rollback, drop_tx});
    }
    stk_fail_host(&error);
    return NULL;
}

bool stk_transaction(stk_db *db, bool (*work)(stk_db *db, void *data), void *data)
{
    stk_tx *tx = stk_begin(db);
    if (tx == NULL) return false;
    if (work(db, data)) return stk_commit(tx);
    stk_rollback(tx);
    return false;
}
