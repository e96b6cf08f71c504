/*
 * chars.c - the table of character classes
 */
#include "wire/chars.h"

#define SUB_DELIM_TOKEN (CHAR_TOKEN | CHAR_PATH | CHAR_TARGET)
#define UNRESERVED      (CHAR_TOKEN | CHAR_UNRESERVED | CHAR_PATH | CHAR_TARGET)

const uint8_t wire_chars[256] = {
    ['!'] = SUB_DELIM_TOKEN,
    ['"'] = CHAR_TARGET,
    ['#'] = CHAR_TOKEN,
    ['$'] = SUB_DELIM_TOKEN,
    ['%'] = CHAR_TOKEN | CHAR_TARGET,
    ['&' ... '\''] = SUB_DELIM_TOKEN,
    ['(' ... ')'] = CHAR_PATH | CHAR_TARGET,
    ['*' ... '+'] = SUB_DELIM_TOKEN,
    [','] = CHAR_PATH | CHAR_TARGET,
    ['-' ... '.'] = UNRESERVED,
    ['/'] = CHAR_PATH | CHAR_TARGET,
    ['0' ... '9'] = UNRESERVED | CHAR_HEX | CHAR_DIGIT,
    [':' ... ';'] = CHAR_PATH | CHAR_TARGET,
    ['<'] = CHAR_TARGET,
    ['='] = CHAR_PATH | CHAR_TARGET,
    ['>' ... '?'] = CHAR_TARGET,
    ['@'] = CHAR_PATH | CHAR_TARGET,
    ['A' ... 'F'] = UNRESERVED | CHAR_HEX,
    ['G' ... 'Z'] = UNRESERVED,
    ['['] = CHAR_PATH | CHAR_TARGET,
    ['\\'] = CHAR_TARGET,
    [']'] = CHAR_PATH | CHAR_TARGET,
    ['^'] = CHAR_TOKEN | CHAR_PATH | CHAR_TARGET,
    ['_'] = UNRESERVED | CHAR_UNDERSCORE,
    ['`'] = CHAR_TOKEN | CHAR_TARGET,
    ['a' ... 'f'] = UNRESERVED | CHAR_HEX,
    ['g' ... 'z'] = UNRESERVED,
    ['{'] = CHAR_TARGET,
    ['|'] = CHAR_TOKEN | CHAR_PATH | CHAR_TARGET,
    ['}'] = CHAR_TARGET,
    ['~'] = UNRESERVED,
};
