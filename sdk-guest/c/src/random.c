#include "host.h"

#include <string.h>

/* The most that the host gives in one call. */
#define CHUNK 65536

void stk_random(void *buffer, size_t length)
{
    uint8_t *next = buffer;
    while (length > 0) {
        logic_list_u8_t bytes;
        santokit_runtime_random_bytes((uint32_t)(length < CHUNK ? length : CHUNK), &bytes);
        size_t got = bytes.len < length ? bytes.len : length;
        if (got == 0) STK_PANIC("the host gave no randomness");
        memcpy(next, bytes.ptr, got);
        logic_list_u8_free(&bytes);
        next += got;
        length -= got;
    }
}

uint64_t stk_random_below(uint64_t limit)
{
    if (limit == 0) return 0;
    /* The part of the range that `limit` does not divide evenly would favour small numbers. */
    uint64_t unbiased = UINT64_MAX - UINT64_MAX % limit;
    uint64_t number;
    do {
        stk_random(&number, sizeof number);
    } while (number >= unbiased);
    return number % limit;
}

char *stk_uuid(void)
{
    uint8_t uuid[16];
    stk_random(uuid, sizeof uuid);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    static const char digits[] = "0123456789abcdef";
    char *text = stk_alloc(37);
    char *next = text;
    for (size_t i = 0; i < sizeof uuid; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *next++ = '-';
        *next++ = digits[uuid[i] >> 4];
        *next++ = digits[uuid[i] & 15];
    }
    return text;
}

/* Jansson's hash tables: a caller who chose the keys of an object must not be able to make them collide. */
volatile uint32_t hashtable_seed = 0;

void json_object_seed(size_t seed)
{
    uint32_t chosen = (uint32_t)seed;
    while (chosen == 0) stk_random(&chosen, sizeof chosen);
    if (hashtable_seed == 0) hashtable_seed = chosen;
}
