// Calls every part of the SDK once, and so every interface that the world offers.

#include <santokit.h>
#include <string.h>
#include <time.h>

static const char *text_of(const json_t *input, const char *key)
{
    return json_string_value(json_object_get(input, key));
}

static json_int_t count(stk_rows *rows)
{
    json_int_t found = 0;
    while (stk_next(rows)) found++;
    return found;
}

static json_t *database(const json_t *input)
{
    const char *query = text_of(input, "query");
    const char *statement = text_of(input, "statement");
    stk_db *db = stk_open(text_of(input, "connection"));
    json_int_t rows = count(stk_query(db, query, STK_NO_PARAMS));
    stk_rows *cursor = stk_cursor(db, query, STK_NO_PARAMS);
    size_t columns = stk_column_count(cursor);
    json_int_t fetched = count(cursor);
    json_int_t changed = stk_execute(db, statement, STK_NO_PARAMS);

    stk_tx *kept = stk_begin(db);
    changed += stk_execute(db, statement, STK_NO_PARAMS);
    if (!stk_commit(kept)) return NULL;
    stk_tx *taken_back = stk_begin(db);
    changed += stk_execute(db, statement, STK_NO_PARAMS);
    stk_rollback(taken_back);
    return json_pack("{s:s,s:I,s:I,s:i,s:I}", "engine", stk_engine(db), "rows", rows, "fetched", fetched, "columns",
                     (int)columns, "changed", changed);
}

json_t *stk_handle(const json_t *input)
{
    stk_trace("every import");
    const stk_caller *caller = stk_get_caller();
    const stk_invocation *invocation = stk_get_invocation();
    unsigned char bytes[8] = {0}, none[8] = {0};
    stk_random(bytes, sizeof bytes);
    const char *secret = stk_secret(text_of(input, "secret"));
    json_t *answer = json_pack(
        "{s:s,s:i,s:b,s:b,s:s,s:s,s:s,s:b,s:b,s:b,s:b,s:i,s:s,s:i,s:o}", "caller", caller->kind, "roles",
        (int)caller->role_count, "claims", json_is_object(caller->claims), "hasRole", stk_has_role("nobody"), "logic",
        invocation->logic, "trigger", invocation->trigger, "now", stk_datetime_text(stk_now()), "libraryTime",
        time(NULL) - (time_t)stk_now().seconds <= 1, "elapsed", stk_elapsed() > 0, "remaining", stk_remaining() > 0, "random",
        memcmp(bytes, none, sizeof bytes) != 0, "uuid", (int)strlen(stk_uuid()), "config", stk_config(text_of(input, "config")),
        "secret", secret == NULL ? -1 : (int)strlen(secret), "sql", database(input));
    stk_log_fields(STK_ERROR, "every import was called", STK_FIELDS({"interfaces", "8"}));
    return answer;
}
