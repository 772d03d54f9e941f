// Reads rows by key or by cursor, into the types of C.

#include <santokit.h>
#include <stdio.h>
#include <string.h>

// Whether the row that was read last is whole.
static int whole(stk_rows *rows)
{
    return stk_get_text(rows, "id")[0] != '\0' && stk_get_text(rows, "text")[0] != '\0' && stk_get_int(rows, "number") >= 0;
}

json_t *stk_handle(const json_t *input)
{
    const char *op = json_string_value(json_object_get(input, "op"));
    json_int_t count = json_integer_value(json_object_get(input, "count")), seen = 0;
    stk_db *db = stk_open("main");
    if (strcmp(op, "one") == 0) {
        for (json_int_t number = 0; number < count && !stk_failed(); number++) {
            char id[16];
            snprintf(id, sizeof id, "i-%05d", (int)(number % 10000));
            stk_rows *item = stk_query_one(db, "SELECT id, text, number FROM items WHERE id = ?", STK_PARAMS(stk_text(id)));
            seen += item != NULL && whole(item);
        }
    } else if (strcmp(op, "many") == 0) {
        stk_rows *items = stk_cursor(db, "SELECT id, text, number FROM items ORDER BY id", STK_NO_PARAMS);
        while (stk_next(items)) seen += whole(items);
    }
    return stk_failed() ? NULL : json_integer(seen);
}
