#include "params.h"
#include "rows.h"
#include "transaction.h"

#include <stdlib.h>
#include <string.h>

typedef santokit_queries_queries_list_tuple2_string_value_t named_list;

/* A call on its way to the host. */
typedef struct call {
    logic_string_t query;
    named_list params;
} call;

static bool prepare(call *call, const char *query, const stk_named *params, size_t param_count)
{
    if (stk_failed()) return false;
    if (query == NULL || (params == NULL && param_count > 0)) {
        stk_fail_sql(STK_INVALID, query == NULL ? "the name of the query is NULL" : "the params are NULL");
        return false;
    }
    for (size_t i = 0; i < param_count; i++) {
        if (params[i].name == NULL) {
            stk_fail_sql(STK_INVALID, stk_format("the name of param %zu is NULL", i + 1));
            return false;
        }
        if (!stk_param_fits(&params[i].value, params[i].name)) return false;
    }
    call->query = stk_to_host(query);
    call->params = (named_list){NULL, param_count};
    if (param_count > 0) {
        if (param_count > SIZE_MAX / sizeof *call->params.ptr) STK_PANIC("too many params");
        call->params.ptr = stk_grow(NULL, param_count * sizeof *call->params.ptr);
    }
    for (size_t i = 0; i < param_count; i++) {
        call->params.ptr[i].f0 = stk_to_host(params[i].name);
        call->params.ptr[i].f1 = stk_param_to_host(&params[i].value);
    }
    return true;
}

static bool is_code(const santokit_sql_types_error_t *error, const char *code)
{
    if (error->tag != SANTOKIT_SQL_TYPES_ERROR_OTHER) return false;
    const logic_string_t *found = &error->val.other.f0;
    return found->len == strlen(code) && memcmp(found->ptr, code, found->len) == 0;
}

stk_rows *stk_queries_many(const char *query, const stk_named *params, size_t param_count)
{
    call run;
    if (!prepare(&run, query, params, param_count)) return NULL;
    santokit_sql_types_packed_rows_t packed;
    santokit_sql_types_error_t error;
    bool done = santokit_queries_queries_many(&run.query, &run.params, &packed, &error);
    free(run.params.ptr);
    if (done) return stk_rows_of_result(&packed);
    stk_fail_host(&error);
    return NULL;
}

stk_rows *stk_queries_one(const char *query, const stk_named *params, size_t param_count)
{
    call run;
    if (!prepare(&run, query, params, param_count)) return NULL;
    santokit_sql_types_packed_rows_t packed;
    santokit_sql_types_error_t error;
    bool done = santokit_queries_queries_one(&run.query, &run.params, &packed, &error);
    free(run.params.ptr);
    if (done) {
        stk_rows *rows = stk_rows_of_result(&packed);
        return rows != NULL && stk_next(rows) ? rows : NULL;
    }
    if (is_code(&error, "NO_ROW")) {
        stk_fail_sql(STK_NOT_FOUND, "one row was asked for and none came");
    } else if (is_code(&error, "SEVERAL_ROWS")) {
        stk_fail_sql(STK_TOO_MANY, "one row was asked for and several came");
    } else {
        stk_fail_host(&error);
    }
    return NULL;
}

int64_t stk_queries_execute(const char *query, const stk_named *params, size_t param_count)
{
    call run;
    if (!prepare(&run, query, params, param_count)) return -1;
    uint64_t affected;
    santokit_sql_types_error_t error;
    bool done = santokit_queries_queries_execute(&run.query, &run.params, &affected, &error);
    free(run.params.ptr);
    if (done) return affected > INT64_MAX ? INT64_MAX : (int64_t)affected;
    stk_fail_host(&error);
    return -1;
}

static bool next_batch(int32_t handle, uint32_t rows, uint32_t bytes, stk_host_batch *batch, santokit_sql_types_error_t *error)
{
    santokit_queries_queries_option_batch_t next;
    santokit_queries_queries_borrow_cursor_t cursor = {handle};
    if (!santokit_queries_queries_method_cursor_next_batch(cursor, rows, bytes, &next, error)) return false;
    *batch = (stk_host_batch){next.is_some, next.val};
    return true;
}

static void drop_cursor(int32_t handle)
{
    santokit_queries_queries_cursor_drop_own((santokit_queries_queries_own_cursor_t){handle});
}

stk_rows *stk_queries_cursor(const char *query, const stk_named *params, size_t param_count)
{
    call run;
    if (!prepare(&run, query, params, param_count)) return NULL;
    santokit_queries_queries_own_cursor_t cursor;
    santokit_sql_types_error_t error;
    bool done = santokit_queries_queries_open_cursor(&run.query, &run.params, &cursor, &error);
    free(run.params.ptr);
    if (!done) {
        stk_fail_host(&error);
        return NULL;
    }
    santokit_queries_queries_list_column_t columns;
    santokit_queries_queries_method_cursor_columns(santokit_queries_queries_borrow_cursor(cursor), &columns);
    return stk_rows_of_cursor((stk_host_cursor){cursor.__handle, next_batch, drop_cursor}, columns.ptr, columns.len);
}

/* ---- Transactions ---- */

static bool commit(int32_t handle, santokit_sql_types_error_t *error)
{
    return santokit_queries_queries_method_transaction_commit((santokit_queries_queries_borrow_transaction_t){handle}, error);
}

static bool rollback(int32_t handle, santokit_sql_types_error_t *error)
{
    return santokit_queries_queries_method_transaction_rollback((santokit_queries_queries_borrow_transaction_t){handle}, error);
}

static void drop_tx(int32_t handle)
{
    santokit_queries_queries_transaction_drop_own((santokit_queries_queries_own_transaction_t){handle});
}

stk_tx *stk_queries_begin(const char *connection)
{
    if (stk_failed()) return NULL;
    logic_string_t name = stk_to_host(connection);
    logic_list_tuple2_string_string_t options = {NULL, 0};
    santokit_queries_queries_own_transaction_t own;
    santokit_sql_types_error_t error;
    if (santokit_queries_queries_begin(&name, &options, &own, &error)) {
        return stk_tx_of((stk_host_transaction){own.__handle, false, commit, rollback, drop_tx});
    }
    stk_fail_host(&error);
    return NULL;
}
