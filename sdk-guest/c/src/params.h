/* Values on their way to the host. */
#ifndef STK_PARAMS_H
#define STK_PARAMS_H

#include "host.h"

/* Whether bytes are UTF-8 text. */
bool stk_is_text(stk_bytes_view bytes);

/* Whether the host takes a value; an error is left otherwise. What the host would end the logic for can be looked at so. */
bool stk_param_fits(const stk_value *value, const char *name);

/* The value as the host has it. It borrows what the value borrows. */
santokit_sql_types_value_t stk_param_to_host(const stk_value *value);

#endif
