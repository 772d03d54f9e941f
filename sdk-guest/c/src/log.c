#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of this length needs no memory. */
#define SHORT_LINE 512

/* As many fields need none either: what is said when memory has run out must be said without any. */
#define FEW_FIELDS 8

void stk_host_log(stk_level level, stk_bytes_view message, const stk_field *fields, size_t field_count)
{
    logic_tuple2_string_string_t few[FEW_FIELDS];
    if (fields == NULL) field_count = 0;
    if (field_count > SIZE_MAX / sizeof *few) STK_PANIC("too many fields: %zu", field_count);
    logic_string_t text = stk_text_to_host(message);
    logic_list_tuple2_string_string_t pairs = {few, field_count};
    if (field_count > FEW_FIELDS) pairs.ptr = stk_grow(NULL, field_count * sizeof *pairs.ptr);
    for (size_t i = 0; i < field_count; i++) {
        pairs.ptr[i] = (logic_tuple2_string_string_t){stk_to_host(fields[i].key), stk_to_host(fields[i].value)};
    }
    /* A level that is none would end the logic. */
    if ((unsigned)level > STK_ERROR) level = STK_ERROR;
    santokit_runtime_log_log((santokit_runtime_log_level_t)level, &text, &pairs);
    if (pairs.ptr != few) free(pairs.ptr);
}

void stk_log_fields(stk_level level, const char *message, const stk_field *fields, size_t field_count)
{
    stk_bytes_view text = {(const uint8_t *)message, message == NULL ? 0 : strlen(message)};
    stk_host_log(level, text, fields, field_count);
}

/* A line as printf makes it, written. */
static void write_line(stk_level level, const char *format, va_list arguments, const stk_field *fields, size_t field_count)
{
    char line[SHORT_LINE];
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(line, sizeof line, format, arguments);
    char *text = line;
    char *longer = NULL;
    if (length >= (int)sizeof line) {
        longer = malloc((size_t)length + 1);
        /* Without memory for the whole line its beginning is better than nothing. */
        if (longer != NULL) {
            vsnprintf(longer, (size_t)length + 1, format, again);
            text = longer;
        }
    }
    va_end(again);
    if (length >= 0) stk_log_fields(level, text, fields, field_count);
    free(longer);
}

void stk_log(stk_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(level, format, arguments, NULL, 0);
    va_end(arguments);
}

_Noreturn void stk_panic_at(const char *file, int line, const char *format, ...)
{
    /* What was printed before comes before. */
    stk_flush_output();
    char place[SHORT_LINE];
    snprintf(place, sizeof place, "%s:%d", file, line);
    va_list arguments;
    va_start(arguments, format);
    write_line(STK_ERROR, format, arguments, STK_FIELDS({"location", place}));
    va_end(arguments);
    __builtin_trap();
}
