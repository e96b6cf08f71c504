#include "wire/chars.h"

#define A                                                                      \
	(CHAR_TOKEN | CHAR_UNRESERVED | CHAR_PATH | CHAR_QUERY | CHAR_HOST |   \
	    CHAR_ALPHA | CHAR_SCHEME | CHAR_VALUE)
#define D   (A & ~CHAR_ALPHA)
#define V   CHAR_VALUE
#define TV  (CHAR_TOKEN | CHAR_VALUE)
#define PQ  (CHAR_PATH | CHAR_QUERY | CHAR_VALUE)
#define PQH (PQ | CHAR_HOST)

const uint8_t chars_table[256] = {
    ['\t'] = V,
    [' '] = V,
    ['!'] = PQH | CHAR_TOKEN,
    ['"'] = V,
    ['#'] = TV,
    ['$'] = PQH | CHAR_TOKEN,
    ['%'] = TV,
    ['&'] = PQH | CHAR_TOKEN,
    ['\''] = PQ | CHAR_TOKEN,
    ['('] = PQH,
    [')'] = PQH,
    ['*'] = PQH | CHAR_TOKEN,
    ['+'] = PQH | CHAR_TOKEN | CHAR_SCHEME,
    [','] = PQ,
    ['-'] = D,
    ['.'] = D,
    ['/'] = PQ,
    ['0' ... '9'] = D,
    [':'] = PQ,
    [';'] = PQ,
    ['<'] = V,
    ['='] = PQ,
    ['>'] = V,
    ['?'] = CHAR_QUERY | V,
    ['@'] = PQ,
    ['A' ... 'Z'] = A,
    ['['] = CHAR_QUERY | V,
    ['\\'] = V,
    [']'] = CHAR_QUERY | V,
    ['^'] = TV,
    ['_'] = D & ~CHAR_SCHEME,
    ['`'] = TV,
    ['a' ... 'z'] = A,
    ['{'] = V,
    ['|'] = TV,
    ['}'] = V,
    ['~'] = D & ~(CHAR_SCHEME | CHAR_HOST),
    [0x80 ... 0xff] = V,
};
