/*
 * weir/frame.h - messages on a stream: where one ends and the next begins
 *
 * TCP carries bytes, not messages: two sends may arrive as one receive, one
 * send as several. A framing says how the sender marked the borders. The
 * functions on bytes do no I/O; a struct weir_reader does it for them.
 */
#ifndef WEIR_FRAME_H
#define WEIR_FRAME_H

#include <weir/api.h>
#include <weir/io.h>
#include <weir/time.h>

WEIR_BEGIN

enum weir_frame_kind {
	WEIR_FRAME_FIXED, /* each @size bytes long */
	WEIR_FRAME_LENGTH, /* a number, then that many bytes */
	WEIR_FRAME_DELIMITER, /* bytes that end with @delimiter */
	WEIR_FRAME_LINE, /* ends with LF or CRLF; a CR alone is content */
};

#define WEIR_FRAME_DELIMITER_MAX 16 /* bytes */
#define WEIR_FRAME_HEAD_MAX      8 /* bytes of a length */

struct weir_framing {
	enum weir_frame_kind kind;
	size_t max; /* bytes of a frame's content; 0: 65,536 */
	size_t size; /* FIXED: bytes, 1 to max */
	unsigned width; /* LENGTH: bytes of the number, 1 to 8 */
	bool little; /* LENGTH: the least significant byte comes first */
	bool whole; /* LENGTH: the number counts its own bytes too */
	const void *delimiter; /* DELIMITER */
	size_t delimiter_length; /* 1 to WEIR_FRAME_DELIMITER_MAX */
	uint64_t reserved[2]; /* zero */
};

/* Content only: without number, delimiter or line end. */
struct weir_frame {
	const void *data;
	size_t length; /* may be 0 */
};

/*
 * Look for the first frame in @length bytes. Pure.
 *
 * Returns how many bytes it takes, borders included, and sets *@ret_frame; 0
 * when more bytes are needed; -EMSGSIZE when its content is longer than max;
 * -EBADMSG when a length cannot be (whole, and less than its own width);
 * -EINVAL when @framing is wrong. After an error the stream cannot go on: the
 * next border is unknown.
 */
WEIR_API WEIR_MUST_CHECK ssize_t weir_frame_find(
    const struct weir_framing *framing, const void *bytes, size_t length,
    struct weir_frame *ret_frame);

/*
 * What stands before and behind @length bytes of content: copied to @head
 * (WEIR_FRAME_HEAD_MAX bytes) and @tail (WEIR_FRAME_DELIMITER_MAX). Pure.
 *
 * Returns 0; -EMSGSIZE when @length is over max, is not size (FIXED), or is too
 * much for width; -EINVAL.
 */
WEIR_API WEIR_MUST_CHECK int
weir_frame_borders(const struct weir_framing *framing, size_t length,
    void *head, size_t *ret_head_length, void *tail, size_t *ret_tail_length);

/*
 * Send a frame, all of it. The content is not looked at: that it holds no
 * delimiter is the caller's care. Suspends.
 * Returns 0, or -errno of weir_frame_borders() or weir_sendv().
 */
WEIR_API WEIR_MUST_CHECK int
weir_frame_send(struct weir_io *io, const struct weir_framing *framing,
    const void *data, size_t length, weir_time deadline);

/* Receives into @buffer, and cuts frames out of it. One task at a time. Its
 * fields are for the functions below. */
struct weir_reader {
	struct weir_io *io;
	unsigned char *buffer;
	size_t size;
	size_t start; /* of what has not been given out */
	size_t end;
	/* Bytes after start in which this framing finds no border. */
	size_t looked;
	const struct weir_framing *looked_for;
	char error[96];
};

/* @buffer, of @size bytes, and @io stay the caller's, and in place. A frame
 * with its borders must have room in @size bytes. */
WEIR_API void weir_reader_init(
    struct weir_reader *reader, struct weir_io *io, void *buffer, size_t size);

/*
 * The next frame, in place in the buffer, valid until the next call. Suspends.
 *
 * Returns 1; 0 at the end of the stream; -EBADMSG when the stream ended inside
 * a frame, or a length cannot be; -EMSGSIZE when a frame is longer than max or
 * than the buffer; or what weir_recv() returned. After -ETIMEDOUT nothing is
 * lost: the call may be made again.
 */
WEIR_API WEIR_MUST_CHECK int weir_reader_frame(struct weir_reader *reader,
    const struct weir_framing *framing, struct weir_frame *ret_frame,
    weir_time deadline);

/* Exactly @length bytes, up to the size of the buffer, whatever framing comes
 * before and after. Returns as weir_reader_frame(). Suspends. */
WEIR_API WEIR_MUST_CHECK int weir_reader_bytes(struct weir_reader *reader,
    size_t length, struct weir_frame *ret_frame, weir_time deadline);

/* A sentence about the last error: "a line is longer than 512 bytes". */
WEIR_API const char *weir_reader_error(const struct weir_reader *reader);

WEIR_END

#endif
