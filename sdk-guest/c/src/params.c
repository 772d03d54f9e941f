#include "params.h"

#include "utf8.h"

#include <string.h>

bool stk_is_text(stk_bytes_view bytes)
{
    return stk_utf8_length(bytes.data, bytes.length) == bytes.length;
}

bool stk_param_fits(const stk_value *value, const char *name)
{
    bool has_text = value->type == STK_TEXT || value->type == STK_TYPED;
    if (!has_text || (stk_is_text(value->as.bytes) && stk_is_text(value->type_name))) return true;
    stk_fail_sql(STK_INVALID, stk_format("param %s is no UTF-8 text: use stk_bytes", name));
    return false;
}

santokit_sql_types_value_t stk_param_to_host(const stk_value *value)
{
    santokit_sql_types_value_t host;
    memset(&host, 0, sizeof host);
    /* The kinds have the numbers of the WIT package. */
    host.tag = (uint8_t)value->type;
    logic_string_t text = {(uint8_t *)(uintptr_t)value->as.bytes.data, value->as.bytes.length};
    switch (value->type) {
    case STK_NULL:
        break;
    case STK_BOOL:
        host.val.boolean = value->as.boolean;
        break;
    case STK_INT:
        host.val.int64 = value->as.integer;
        break;
    case STK_FLOAT:
        host.val.float64 = value->as.number;
        break;
    case STK_TEXT:
        host.val.text = text;
        break;
    case STK_BYTES:
        host.val.bytes = (logic_list_u8_t){text.ptr, text.len};
        break;
    case STK_TYPED:
        host.val.typed.f0 = (logic_string_t){(uint8_t *)(uintptr_t)value->type_name.data, value->type_name.length};
        host.val.typed.f1 = text;
        break;
    default:
        STK_PANIC("a value of the unknown kind %d: make values with stk_text, stk_int and so on", (int)value->type);
    }
    return host;
}
