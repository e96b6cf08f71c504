/*
 * http1_chunks.c - chunked bodies (RFC 9112 §7.1)
 *
 *	SIZE -> [PAD, EXT...] -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF
 *	 ^ hex digits            |                              |
 *	 |                       +-> END, when the size is 0    |
 *	 +------------------------------------------------------+
 *
 * Extensions are checked and dropped. No line of a chunk may end with a bare
 *LF, nor hold a control character: servers that disagree on that disagree on
 *the body.
 */
#include <errno.h>

#include "base/error.h"
#include "wire/chars.h"
#include "wire/http1.h"

#define CHUNK_LINE_BYTES_MAX 4096
#define CHUNK_DIGITS_MAX     16

enum chunk_state {
	CHUNK_SIZE,
	/* chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS value ] ) */
	CHUNK_PAD, /* only ';' may follow */
	CHUNK_EXT,
	CHUNK_EXT_NAME,
	CHUNK_EXT_NAME_PAD, /* '=' or ';' */
	CHUNK_EXT_EQUALS,
	CHUNK_EXT_VALUE,
	CHUNK_EXT_QUOTED,
	CHUNK_EXT_ESCAPED,
	CHUNK_EXT_UNQUOTED, /* behind the closing quote */
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_END,
};

void
http1_chunks_init(struct http1_chunks *chunks)
{
	*chunks = (struct http1_chunks){.state = CHUNK_SIZE};
}

static inline bool
chunk_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The byte behind the digits, or behind an extension. */
static int
chunk_part_end(struct http1_chunks *chunks, char c)
{
	if (c == '\r')
		chunks->state = CHUNK_SIZE_LF;
	else if (c == ';')
		chunks->state = CHUNK_EXT;
	else if (chunk_is_blank(c))
		chunks->state = CHUNK_PAD;
	else
		return E_H1_BAD_CHUNK;
	return 0;
}

static int
chunk_size_byte(struct http1_chunks *chunks, char c)
{
	if (!char_is(c, CHAR_HEX))
		return chunks->line_bytes == 1 ? E_H1_BAD_CHUNK
					       : chunk_part_end(chunks, c);
	if (chunks->line_bytes > CHUNK_DIGITS_MAX)
		return E_H1_BAD_CHUNK;
	chunks->left = chunks->left << 4 | char_hex_value(c);
	/* Signed arithmetic on it elsewhere must not overflow. */
	return chunks->left > INT64_MAX ? E_H1_BAD_CHUNK : 0;
}

/* A byte that must be of a token or, before its first one, blank. */
static int
chunk_token_start(struct http1_chunks *chunks, char c, enum chunk_state next)
{
	if (chunk_is_blank(c))
		return 0;
	if (!char_is(c, CHAR_TOKEN))
		return E_H1_BAD_CHUNK;
	chunks->state = (uint8_t)next;
	return 0;
}

static int
chunk_name_end(struct http1_chunks *chunks, char c)
{
	if (c == '=')
		chunks->state = CHUNK_EXT_EQUALS;
	else if (chunk_is_blank(c))
		chunks->state = CHUNK_EXT_NAME_PAD;
	else
		return chunk_part_end(chunks, c);
	return 0;
}

static int
chunk_quoted_byte(struct http1_chunks *chunks, char c)
{
	if (char_is_control(c))
		return E_H1_BAD_CHUNK;
	if (chunks->state == CHUNK_EXT_ESCAPED)
		chunks->state = CHUNK_EXT_QUOTED;
	else if (c == '"')
		chunks->state = CHUNK_EXT_UNQUOTED;
	else if (c == '\\')
		chunks->state = CHUNK_EXT_ESCAPED;
	return 0;
}

static int
chunk_extension_byte(struct http1_chunks *chunks, char c)
{
	switch (chunks->state) {
	case CHUNK_PAD:
		return c == '\r' ? E_H1_BAD_CHUNK : chunk_part_end(chunks, c);
	case CHUNK_EXT:
		return chunk_token_start(chunks, c, CHUNK_EXT_NAME);
	case CHUNK_EXT_NAME:
		return char_is(c, CHAR_TOKEN) ? 0 : chunk_name_end(chunks, c);
	case CHUNK_EXT_NAME_PAD:
		return c == '\r' ? E_H1_BAD_CHUNK : chunk_name_end(chunks, c);
	case CHUNK_EXT_EQUALS:
		if (c != '"')
			return chunk_token_start(chunks, c, CHUNK_EXT_VALUE);
		chunks->state = CHUNK_EXT_QUOTED;
		return 0;
	case CHUNK_EXT_VALUE:
		return char_is(c, CHAR_TOKEN) ? 0 : chunk_part_end(chunks, c);
	case CHUNK_EXT_UNQUOTED:
		return chunk_part_end(chunks, c);
	default: /* CHUNK_EXT_QUOTED, CHUNK_EXT_ESCAPED */
		return chunk_quoted_byte(chunks, c);
	}
}

static int
chunk_line_byte(struct http1_chunks *chunks, char c)
{
	if (++chunks->line_bytes > CHUNK_LINE_BYTES_MAX)
		return E_H1_CHUNK_TOO_LONG;
	switch (chunks->state) {
	case CHUNK_SIZE:
		return chunk_size_byte(chunks, c);
	case CHUNK_SIZE_LF:
		if (c != '\n')
			return E_H1_BAD_CHUNK;
		chunks->line_bytes = 0;
		chunks->state = chunks->left == 0 ? CHUNK_END : CHUNK_DATA;
		return 0;
	case CHUNK_DATA_CR:
		chunks->state = CHUNK_DATA_LF;
		return c == '\r' ? 0 : E_H1_BAD_CHUNK;
	case CHUNK_DATA_LF:
		chunks->state = CHUNK_SIZE;
		chunks->line_bytes = 0;
		return c == '\n' ? 0 : E_H1_BAD_CHUNK;
	default:
		return chunk_extension_byte(chunks, c);
	}
}

int
http1_chunks_next(
    struct http1_chunks *chunks, struct bytes *input, struct bytes *ret_data)
{
	while (chunks->state != CHUNK_DATA && chunks->state != CHUNK_END) {
		int r;

		if (input->length == 0)
			return -EAGAIN;
		r = chunk_line_byte(chunks, input->at[0]);
		if (r < 0)
			return r;
		*input = bytes_skip(*input, 1);
	}
	if (chunks->state == CHUNK_END)
		return 0;
	if (input->length == 0)
		return -EAGAIN;
	*ret_data = bytes_of(
	    input->at, (size_t)min_of((uint64_t)input->length, chunks->left));
	*input = bytes_skip(*input, ret_data->length);
	http1_chunks_skip(chunks, ret_data->length);
	return 1;
}

void
http1_chunks_skip(struct http1_chunks *chunks, uint64_t count)
{
	must(chunks->state == CHUNK_DATA && count <= chunks->left);
	chunks->left -= count;
	if (chunks->left == 0)
		chunks->state = CHUNK_DATA_CR;
}
