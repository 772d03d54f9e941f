#include "transaction.h"

#include "rows.h"

struct stk_tx {
    stk_open_handle open;
    stk_host_transaction host;
};

static void drop(stk_open_handle *self)
{
    const stk_tx *tx = (const stk_tx *)self;
    tx->host.drop(tx->host.handle);
}

stk_tx *stk_tx_of(stk_host_transaction host)
{
    stk_tx *tx = stk_alloc(sizeof *tx);
    tx->host = host;
    stk_remember(&tx->open, drop);
    return tx;
}

/* Whether the transaction is open still. */
static bool is_open(const stk_tx *tx)
{
    if (tx != NULL && !tx->open.is_closed) return true;
    stk_fail_sql(STK_INVALID, tx == NULL ? "a transaction was used that is NULL" : "the transaction has ended already");
    return false;
}

bool stk_tx_of_sql(const stk_tx *tx, int32_t *handle)
{
    if (!is_open(tx)) return false;
    if (!tx->host.is_sql) {
        stk_fail_sql(STK_INVALID, "a transaction of stk_queries_begin was used for a table: take one of stk_begin");
        return false;
    }
    *handle = tx->host.handle;
    return true;
}

bool stk_commit(stk_tx *tx)
{
    if (!is_open(tx)) return false;
    if (stk_failed()) {
        stk_rollback(tx);
        return false;
    }
    santokit_sql_types_error_t error;
    bool done = tx->host.commit(tx->host.handle, &error);
    if (!done) stk_fail_host(&error);
    stk_forget(&tx->open);
    return done;
}

bool stk_rollback(stk_tx *tx)
{
    if (!is_open(tx)) return false;
    santokit_sql_types_error_t error;
    bool done = tx->host.rollback(tx->host.handle, &error);
    if (!done) stk_fail_host(&error);
    stk_forget(&tx->open);
    return done;
}
