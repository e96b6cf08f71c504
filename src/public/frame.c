/*
 * public/frame.c - <weir/frame.h>
 */
#include <weir/frame.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cc.h"
#include "public/frame.h"

#define FRAME_MAX_DEFAULT 65536

static size_t
framing_max(const struct weir_framing *framing)
{
	return framing->max != 0 ? framing->max : FRAME_MAX_DEFAULT;
}

static bool
framing_valid(const struct weir_framing *framing)
{
	switch (framing->kind) {
	case WEIR_FRAME_FIXED:
		return framing->size > 0 &&
		    framing->size <= framing_max(framing);
	case WEIR_FRAME_LENGTH:
		return framing->width >= 1 &&
		    framing->width <= WEIR_FRAME_HEAD_MAX;
	case WEIR_FRAME_DELIMITER:
		return framing->delimiter != NULL &&
		    framing->delimiter_length >= 1 &&
		    framing->delimiter_length <= WEIR_FRAME_DELIMITER_MAX;
	case WEIR_FRAME_LINE:
		return true;
	}
	return false;
}

static ssize_t
find_fixed(const struct weir_framing *framing, const unsigned char *bytes,
    size_t length, size_t looked, struct weir_frame *ret_frame)
{
	(void)looked;
	if (length < framing->size)
		return 0;
	*ret_frame = (struct weir_frame){bytes, framing->size};
	return (ssize_t)framing->size;
}

static uint64_t
number_read(const unsigned char *bytes, unsigned width, bool little)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < width; i++)
		number = number << 8 | bytes[little ? width - 1 - i : i];
	return number;
}

static void
number_write(unsigned char *into, unsigned width, bool little, uint64_t number)
{
	for (unsigned i = 0; i < width; i++) {
		into[little ? i : width - 1 - i] = (unsigned char)number;
		number >>= 8;
	}
}

static ssize_t
find_length(const struct weir_framing *framing, const unsigned char *bytes,
    size_t length, size_t looked, struct weir_frame *ret_frame)
{
	unsigned width = framing->width;
	uint64_t number;

	(void)looked;
	if (length < width)
		return 0;
	number = number_read(bytes, width, framing->little);
	if (framing->whole) {
		if (number < width)
			return -EBADMSG;
		number -= width;
	}
	if (number > framing_max(framing))
		return -EMSGSIZE;
	if (length - width < number)
		return 0;
	*ret_frame = (struct weir_frame){bytes + width, (size_t)number};
	return (ssize_t)(width + number);
}

/* The content ends at @end, or nowhere yet (NULL). */
static ssize_t
find_ended(const struct weir_framing *framing, const unsigned char *bytes,
    size_t length, const unsigned char *end, size_t delimiter_length,
    struct weir_frame *ret_frame)
{
	size_t max = framing_max(framing);

	if (end == NULL)
		/* The last bytes may be the start of the delimiter. */
		return length < delimiter_length ||
			length - (delimiter_length - 1) <= max
		    ? 0
		    : -EMSGSIZE;
	if ((size_t)(end - bytes) > max)
		return -EMSGSIZE;
	*ret_frame = (struct weir_frame){bytes, (size_t)(end - bytes)};
	return (ssize_t)(ret_frame->length + delimiter_length);
}

static ssize_t
find_delimiter(const struct weir_framing *framing, const unsigned char *bytes,
    size_t length, size_t looked, struct weir_frame *ret_frame)
{
	size_t delimiter_length = framing->delimiter_length;
	size_t from = looked - min_of(looked, delimiter_length - 1);

	return find_ended(framing, bytes, length,
	    memmem(bytes + from, length - from, framing->delimiter,
		delimiter_length),
	    delimiter_length, ret_frame);
}

static ssize_t
find_line(const struct weir_framing *framing, const unsigned char *bytes,
    size_t length, size_t looked, struct weir_frame *ret_frame)
{
	const unsigned char *end =
	    memchr(bytes + looked, '\n', length - looked);

	if (end != NULL && end > bytes && end[-1] == '\r')
		return find_ended(
		    framing, bytes, length, end - 1, 2, ret_frame);
	return find_ended(
	    framing, bytes, length, end, end != NULL ? 1 : 2, ret_frame);
}

ssize_t
frame_find(const struct weir_framing *framing, const unsigned char *bytes,
    size_t length, size_t looked, struct weir_frame *ret_frame)
{
	static ssize_t (*const find[])(const struct weir_framing *,
	    const unsigned char *, size_t, size_t, struct weir_frame *) = {
	    [WEIR_FRAME_FIXED] = find_fixed,
	    [WEIR_FRAME_LENGTH] = find_length,
	    [WEIR_FRAME_DELIMITER] = find_delimiter,
	    [WEIR_FRAME_LINE] = find_line,
	};

	if (!framing_valid(framing))
		return -EINVAL;
	return find[framing->kind](framing, bytes, length, looked, ret_frame);
}

ssize_t
weir_frame_find(const struct weir_framing *framing, const void *bytes,
    size_t length, struct weir_frame *ret_frame)
{
	return frame_find(framing, bytes, length, 0, ret_frame);
}

int
weir_frame_borders(const struct weir_framing *framing, size_t length,
    void *head, size_t *ret_head_length, void *tail, size_t *ret_tail_length)
{
	uint64_t number;

	*ret_head_length = 0;
	*ret_tail_length = 0;
	if (!framing_valid(framing))
		return -EINVAL;
	if (length > framing_max(framing))
		return -EMSGSIZE;
	switch (framing->kind) {
	case WEIR_FRAME_FIXED:
		return length == framing->size ? 0 : -EMSGSIZE;
	case WEIR_FRAME_LENGTH:
		number = length + (framing->whole ? framing->width : 0);
		if (framing->width < 8 && number >> (8 * framing->width) != 0)
			return -EMSGSIZE;
		number_write(head, framing->width, framing->little, number);
		*ret_head_length = framing->width;
		return 0;
	case WEIR_FRAME_DELIMITER:
		memcpy(tail, framing->delimiter, framing->delimiter_length);
		*ret_tail_length = framing->delimiter_length;
		return 0;
	case WEIR_FRAME_LINE:
		memcpy(tail, "\r\n", 2);
		*ret_tail_length = 2;
		return 0;
	}
	return -EINVAL;
}

int
weir_frame_send(struct weir_io *io, const struct weir_framing *framing,
    const void *data, size_t length, weir_time deadline)
{
	unsigned char head[WEIR_FRAME_HEAD_MAX];
	unsigned char tail[WEIR_FRAME_DELIMITER_MAX];
	struct iovec parts[3] = {{head, 0}, {(void *)data, length}, {tail, 0}};
	ssize_t sent;
	int error;

	error = weir_frame_borders(
	    framing, length, head, &parts[0].iov_len, tail, &parts[2].iov_len);
	if (error < 0)
		return error;
	sent = weir_sendv(io, parts, 3, 0, NULL, deadline);
	return sent < 0 ? (int)sent : 0;
}

void
weir_reader_init(
    struct weir_reader *reader, struct weir_io *io, void *buffer, size_t size)
{
	*reader =
	    (struct weir_reader){.io = io, .buffer = buffer, .size = size};
}

__attribute__((format(printf, 3, 4))) static int
reader_fail(struct weir_reader *reader, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(reader->error, sizeof(reader->error), format, args);
	va_end(args);
	return error;
}

/* More bytes behind those that are there. As weir_recv(). */
static ssize_t
reader_fill(struct weir_reader *reader, weir_time deadline)
{
	ssize_t length;

	if (reader->start > 0) {
		memmove(reader->buffer, reader->buffer + reader->start,
		    reader->end - reader->start);
		reader->end -= reader->start;
		reader->start = 0;
	}
	if (reader->end == reader->size)
		return reader_fail(reader, -EMSGSIZE,
		    "a frame is longer than the reader's %zu bytes",
		    reader->size);
	length = weir_recv(reader->io, reader->buffer + reader->end,
	    reader->size - reader->end, deadline);
	if (length > 0)
		reader->end += (size_t)length;
	else if (length < 0)
		reader_fail(reader, 0, "%s", strerrordesc_np((int)-length));
	else if (reader->end > 0)
		return reader_fail(reader, -EBADMSG,
		    "the stream ended %zu bytes into a frame", reader->end);
	return length;
}

static int
reader_find_fail(
    struct weir_reader *reader, const struct weir_framing *framing, int error)
{
	if (error == -EINVAL)
		return reader_fail(reader, error, "the framing is not valid");
	if (error == -EBADMSG)
		return reader_fail(
		    reader, error, "a length is less than its own width");
	return reader_fail(reader, error, "a %s is longer than %zu bytes",
	    framing->kind == WEIR_FRAME_LINE ? "line" : "frame",
	    framing_max(framing));
}

int
weir_reader_frame(struct weir_reader *reader,
    const struct weir_framing *framing, struct weir_frame *ret_frame,
    weir_time deadline)
{
	ssize_t length;

	if (reader->looked_for != framing) {
		reader->looked_for = framing;
		reader->looked = 0;
	}
	for (;;) {
		length = frame_find(framing, reader->buffer + reader->start,
		    reader->end - reader->start, reader->looked, ret_frame);
		if (length < 0)
			return reader_find_fail(reader, framing, (int)length);
		reader->looked = reader->end - reader->start;
		if (length > 0) {
			reader->looked = 0;
			reader->start += (size_t)length;
			return 1;
		}
		length = reader_fill(reader, deadline);
		if (length <= 0)
			return (int)length;
	}
}

int
weir_reader_bytes(struct weir_reader *reader, size_t length,
    struct weir_frame *ret_frame, weir_time deadline)
{
	const struct weir_framing fixed = {
	    .kind = WEIR_FRAME_FIXED, .size = length, .max = length};

	if (length == 0) {
		*ret_frame =
		    (struct weir_frame){reader->buffer + reader->start, 0};
		return 1;
	}
	return weir_reader_frame(reader, &fixed, ret_frame, deadline);
}

const char *
weir_reader_error(const struct weir_reader *reader)
{
	return reader->error[0] != '\0' ? reader->error : "no error";
}
