#include "host.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Small enough for a logic that needs little, large enough to ask seldom. */
#define CHUNK_SIZE ((size_t)16 * 1024)
#define ALIGNMENT ((size_t)16)

/* What is left of the newest piece of the arena. */
static uint8_t *arena;
static size_t arena_left;

void *stk_grow(void *memory, size_t size)
{
    void *grown = realloc(memory, size == 0 ? 1 : size);
    if (grown == NULL) STK_PANIC("out of memory (%zu bytes more); see limits.memory in logic.yaml", size);
    return grown;
}

void *stk_alloc(size_t size)
{
    if (size > PTRDIFF_MAX - ALIGNMENT) STK_PANIC("out of memory (%zu bytes more)", size);
    /* Nothing has an address of its own as well. */
    if (size == 0) size = 1;
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    uint8_t *piece;
    if (rounded > CHUNK_SIZE / 4) {
        piece = stk_grow(NULL, rounded);
    } else {
        if (rounded > arena_left) {
            arena = stk_grow(NULL, CHUNK_SIZE);
            arena_left = CHUNK_SIZE;
        }
        piece = arena;
        arena += rounded;
        arena_left -= rounded;
    }
    return memset(piece, 0, rounded);
}

char *stk_copy(const char *text)
{
    if (text == NULL) return NULL;
    size_t size = strlen(text) + 1;
    return memcpy(stk_alloc(size), text, size);
}

char *stk_format(const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = stk_alloc(length < 0 ? 1 : (size_t)length + 1);
    if (length > 0) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

logic_string_t stk_text_to_host(stk_bytes_view text)
{
    /* The host reads only. */
    uint8_t *bytes = (uint8_t *)(uintptr_t)text.data;
    size_t length = bytes == NULL ? 0 : text.length;
    if (stk_utf8_length(bytes, length) != length) {
        bytes = memcpy(stk_alloc(length), bytes, length);
        stk_utf8_repair(bytes, length);
    }
    return (logic_string_t){bytes, length};
}

logic_string_t stk_to_host(const char *text)
{
    return stk_text_to_host((stk_bytes_view){(const uint8_t *)text, text == NULL ? 0 : strlen(text)});
}

char *stk_from_host(logic_string_t *text)
{
    char *copy = stk_alloc(text->len + 1);
    if (text->len > 0) memcpy(copy, text->ptr, text->len);
    logic_string_free(text);
    return copy;
}
