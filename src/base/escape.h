/*
 * escape.h - text of strangers, made safe for a line of a log or of JSON
 *
 * Layer      base
 * Cost       about 0.5 ns a byte where nothing needs an escape
 * Invariant  what is appended holds no control character, no quote and no
 *            backslash of the text itself, and is valid UTF-8
 *
 * ESCAPE_JSON   RFC 8259 §7, also used inside the quotes of logfmt. Valid
 *               UTF-8 is kept, but for control characters and those that
 *               turn the direction of writing (a log is read on terminals).
 *               A byte that is no UTF-8 becomes \u00XX.
 * ESCAPE_HEX    \xHH for quote, backslash and everything but printable
 *               ASCII, as nginx and Apache write it
 * ESCAPE_LABEL  label values of the Prometheus text format: \\, \" and \n;
 *               other control characters and broken UTF-8 become '?'
 */
#pragma once

#include "base/bytes.h"

enum escape { ESCAPE_JSON, ESCAPE_HEX, ESCAPE_LABEL };

/*
 * append_escaped - append @text, at most @bytes_max bytes with its escapes
 *
 * @bytes_max  0: all of it. What is longer is cut between two characters and
 *             ends in "...", within the limit (at least 3); a text with
 *             escapes that would just fit may be cut too.
 */
void append_escaped(struct appender *into, struct bytes text,
    enum escape escape, size_t bytes_max);

/* Whether a value of logfmt needs no quotes: not empty, and nothing but
 * printable ASCII without space, '"', '=' and '\\'. */
bool text_is_bare(struct bytes text);
