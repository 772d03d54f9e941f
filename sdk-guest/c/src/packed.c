#include "packed.h"

#include <string.h>

static const char CUT_SHORT[] = "packed rows are cut short";

/* A piece of the bytes; NULL where there are not as many. */
static const uint8_t *take(stk_packed *packed, size_t length)
{
    if (length > packed->left) return NULL;
    const uint8_t *piece = packed->next;
    packed->next += length;
    packed->left -= length;
    return piece;
}

static uint64_t little_endian(const uint8_t *bytes, size_t length)
{
    uint64_t number = 0;
    for (size_t i = length; i > 0; i--) number = number << 8 | bytes[i - 1];
    return number;
}

/* A length and as many bytes. */
static bool take_bytes(stk_packed *packed, stk_bytes_view *view)
{
    const uint8_t *length = take(packed, 4);
    if (length == NULL) return false;
    view->length = (size_t)little_endian(length, 4);
    view->data = take(packed, view->length);
    return view->data != NULL;
}

static stk_packed_problem read_cell(stk_packed *packed, stk_value *cell)
{
    const uint8_t *tag = take(packed, 1);
    if (tag == NULL) return CUT_SHORT;
    switch (*tag) {
    case 0:
        cell->type = STK_NULL;
        return NULL;
    case 1:
    case 2:
        cell->type = STK_BOOL;
        cell->as.boolean = *tag == 2;
        return NULL;
    case 3:
    case 4: {
        const uint8_t *payload = take(packed, 8);
        if (payload == NULL) return CUT_SHORT;
        uint64_t bits = little_endian(payload, 8);
        cell->type = *tag == 3 ? STK_INT : STK_FLOAT;
        if (*tag == 3) memcpy(&cell->as.integer, &bits, sizeof bits);
        else memcpy(&cell->as.number, &bits, sizeof bits);
        return NULL;
    }
    case 7:
        if (!take_bytes(packed, &cell->type_name)) return CUT_SHORT;
        /* fallthrough */
    case 5:
    case 6:
        cell->type = *tag == 5 ? STK_TEXT : *tag == 6 ? STK_BYTES : STK_TYPED;
        return take_bytes(packed, &cell->as.bytes) ? NULL : CUT_SHORT;
    default:
        return "packed rows have a cell of an unknown kind";
    }
}

stk_packed_problem stk_packed_cell(stk_packed *packed, stk_value *cell)
{
    *cell = (stk_value){0};
    stk_packed_problem problem = read_cell(packed, cell);
    if (problem != NULL) {
        *cell = (stk_value){0};
        packed->left = 0;
    }
    return problem;
}
