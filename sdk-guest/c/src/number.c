#include "number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Longer than any number that a database sends as a decimal and a double can tell apart. */
#define LONGEST 400

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

bool stk_parse_int(stk_bytes_view text, int64_t *number)
{
    size_t at = 0;
    bool negative = text.length > 0 && text.data[0] == '-';
    if (text.length > 0 && (negative || text.data[0] == '+')) at++;
    size_t first = at;
    uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t size = 0;
    for (; at < text.length && is_digit(text.data[at]); at++) {
        uint64_t digit = (uint64_t)(text.data[at] - '0');
        if (size > (most - digit) / 10) return false;
        size = size * 10 + digit;
    }
    if (at == first) return false;
    if (at < text.length && text.data[at] == '.') {
        for (at++; at < text.length && text.data[at] == '0'; at++) {}
    }
    if (at != text.length) return false;
    if (!negative) *number = (int64_t)size;
    else *number = size == 0 ? 0 : -(int64_t)(size - 1) - 1;
    return true;
}

bool stk_parse_float(stk_bytes_view text, double *number)
{
    if (text.length == 0 || text.length > LONGEST) return false;
    for (size_t i = 0; i < text.length; i++) {
        /* strtod also knows hexadecimal, inf, nan and leading spaces. */
        if (!is_digit(text.data[i]) && memchr("+-.eE", text.data[i], 5) == NULL) return false;
    }
    char copy[LONGEST + 1];
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    char *end = copy;
    double parsed = strtod(copy, &end);
    if (end != copy + text.length || !isfinite(parsed)) return false;
    *number = parsed;
    return true;
}
