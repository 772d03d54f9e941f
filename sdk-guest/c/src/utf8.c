#include "utf8.h"

/* The length of the character that begins here; 0 where none does. No surrogates, nothing longer than it need be. */
static size_t character(const uint8_t *bytes, size_t length)
{
    uint8_t first = bytes[0];
    if (first < 0x80) return 1;
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || size > length) return 0;
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80) return 0;
    }
    uint8_t second = bytes[1];
    if (first == 0xe0 && second < 0xa0) return 0;
    if (first == 0xed && second > 0x9f) return 0;
    if (first == 0xf0 && second < 0x90) return 0;
    if (first == 0xf4 && second > 0x8f) return 0;
    return size;
}

size_t stk_utf8_length(const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    while (bytes != NULL && at < length) {
        size_t size = character(bytes + at, length - at);
        if (size == 0) break;
        at += size;
    }
    return at;
}

void stk_utf8_repair(uint8_t *bytes, size_t length)
{
    size_t at = stk_utf8_length(bytes, length);
    while (bytes != NULL && at < length) {
        bytes[at++] = '?';
        at += stk_utf8_length(bytes + at, length - at);
    }
}

size_t stk_utf8_cut(const uint8_t *bytes, size_t length)
{
    /* A character has three bytes after its first at most. */
    for (size_t back = 1; back <= 3 && back <= length; back++) {
        uint8_t byte = bytes[length - back];
        if (byte < 0x80) break;
        if (byte < 0xc0) continue;
        size_t size = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return size > back ? length - back : length;
    }
    return length;
}
