/* How transactions come to be. Ending them is santokit.h's. */
#ifndef STK_TRANSACTION_H
#define STK_TRANSACTION_H

#include "host.h"

/* A transaction of the host, whichever interface it is of: a logic that uses one interface does not import the other. */
typedef struct stk_host_transaction {
    int32_t handle;
    /* Whether it is one of stk_begin: requests to tables belong to no other. */
    bool is_sql;
    bool (*commit)(int32_t handle, santokit_sql_types_error_t *error);
    bool (*rollback)(int32_t handle, santokit_sql_types_error_t *error);
    void (*drop)(int32_t handle);
} stk_host_transaction;

/* Takes it over. */
stk_tx *stk_tx_of(stk_host_transaction host);

/* Whether it is open and of stk_begin; an error is left otherwise. `handle` is the host's, and stays its own. */
bool stk_tx_of_sql(const stk_tx *tx, int32_t *handle);

#endif
