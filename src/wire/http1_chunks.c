/*
 * http1_chunks.c - the chunked coding (RFC 9112 §7.1)
 *
 * One byte at a time through the framing, which is short; data is passed by
 * whole runs.
 */
#include <errno.h>

#include "base/error.h"
#include "wire/chars.h"
#include "wire/http1.h"

#define CHUNK_LINE_BYTES_MAX 4096
/* Fifteen hex digits: the size fits a signed 64-bit count. */
#define CHUNK_SIZE_DIGITS_MAX 15

enum chunk_state {
	CHUNK_SIZE, /* digits of the size */
	CHUNK_EXTENSION, /* to the CR */
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_ENDED,
};

void
http1_chunks_init(struct http1_chunks *chunks)
{
	*chunks = (struct http1_chunks){0};
}

static int
chunk_size_byte(struct http1_chunks *chunks, char c)
{
	int digit = chars_hex(c);

	if (digit >= 0) {
		if (chunks->line_bytes++ == CHUNK_SIZE_DIGITS_MAX)
			return E_H1_BAD_CHUNK;
		chunks->left = chunks->left << 4 | (unsigned)digit;
		return 0;
	}
	if (chunks->line_bytes == 0)
		return E_H1_BAD_CHUNK;
	if (c == '\r')
		chunks->state = CHUNK_SIZE_LF;
	else if (c == ';')
		chunks->state = CHUNK_EXTENSION;
	else
		return E_H1_BAD_CHUNK; /* also white space before ';' */
	return 0;
}

static int
chunk_extension_byte(struct http1_chunks *chunks, char c)
{
	if (++chunks->line_bytes > CHUNK_LINE_BYTES_MAX)
		return E_H1_CHUNK_TOO_LONG;
	if (c == '\r')
		chunks->state = CHUNK_SIZE_LF;
	else if (!chars_is(c, CHAR_VALUE))
		return E_H1_BAD_CHUNK;
	return 0;
}

static int
chunk_expect(
    struct http1_chunks *chunks, char c, char wanted, enum chunk_state next)
{
	if (c != wanted)
		return E_H1_BAD_CHUNK;
	chunks->state = (uint8_t)next;
	return 0;
}

/* One byte of framing. */
static int
chunk_byte(struct http1_chunks *chunks, char c)
{
	switch ((enum chunk_state)chunks->state) {
	case CHUNK_SIZE:
		return chunk_size_byte(chunks, c);
	case CHUNK_EXTENSION:
		return chunk_extension_byte(chunks, c);
	case CHUNK_SIZE_LF:
		return chunk_expect(chunks, c, '\n',
		    chunks->left != 0 ? CHUNK_DATA : CHUNK_ENDED);
	case CHUNK_DATA_CR:
		return chunk_expect(chunks, c, '\r', CHUNK_DATA_LF);
	case CHUNK_DATA_LF:
		chunks->line_bytes = 0;
		return chunk_expect(chunks, c, '\n', CHUNK_SIZE);
	case CHUNK_DATA:
	case CHUNK_ENDED:
		break;
	}
	must(false);
	return E_H1_BAD_CHUNK;
}

int
http1_chunks_next(
    struct http1_chunks *chunks, struct bytes *input, struct bytes *ret_data)
{
	while (chunks->state != CHUNK_ENDED && input->length != 0) {
		if (chunks->state == CHUNK_DATA) {
			uint64_t n =
			    min_of((uint64_t)input->length, chunks->left);

			*ret_data = bytes_of(input->at, (size_t)n);
			*input = bytes_skip(*input, (size_t)n);
			http1_chunks_skip(chunks, n);
			return 1;
		}
		int r = chunk_byte(chunks, input->at[0]);

		if (r < 0)
			return r;
		*input = bytes_skip(*input, 1);
	}
	return chunks->state == CHUNK_ENDED ? 0 : -EAGAIN;
}

void
http1_chunks_skip(struct http1_chunks *chunks, uint64_t count)
{
	must(chunks->state == CHUNK_DATA && count <= chunks->left);
	chunks->left -= count;
	if (chunks->left == 0)
		chunks->state = CHUNK_DATA_CR;
}
