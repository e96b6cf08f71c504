/*
 * frame.c - the borders of messages on a stream that anybody can write
 *
 * The first bytes choose a framing, the rest is the stream. What must hold: a
 * frame lies inside the bytes and within its maximum; more bytes behind it do
 * not change it, and one fewer than it takes is never enough; content that was
 * framed is found again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <weir/frame.h>

static void
want(bool true_then)
{
	if (!true_then)
		abort();
}

static void
check_found(const struct weir_framing *framing, const uint8_t *bytes,
    size_t length, size_t max)
{
	struct weir_frame frame, again;
	ssize_t taken = weir_frame_find(framing, bytes, length, &frame);

	if (taken <= 0)
		return;
	want((size_t)taken <= length);
	want((const uint8_t *)frame.data >= bytes);
	want((const uint8_t *)frame.data + frame.length <= bytes + taken);
	want(frame.length <= max);
	want(weir_frame_find(framing, bytes, (size_t)taken, &again) == taken);
	want(again.data == frame.data && again.length == frame.length);
	want(weir_frame_find(framing, bytes, (size_t)taken - 1, &again) <= 0);
}

static void
check_there_and_back(
    const struct weir_framing *framing, const uint8_t *content, size_t length)
{
	uint8_t wire[WEIR_FRAME_HEAD_MAX + 64 + WEIR_FRAME_DELIMITER_MAX];
	uint8_t tail[WEIR_FRAME_DELIMITER_MAX];
	size_t head_length, tail_length;
	struct weir_frame frame;

	if (length > 64 ||
	    weir_frame_borders(
		framing, length, wire, &head_length, tail, &tail_length) < 0)
		return;
	memcpy(wire + head_length, content, length);
	memcpy(wire + head_length + length, tail, tail_length);
	/* Content may hold the delimiter: then the frame is shorter. */
	want(weir_frame_find(framing, wire, head_length + length + tail_length,
		 &frame) > 0);
	if (framing->kind <= WEIR_FRAME_LENGTH)
		want(frame.length == length &&
		    memcmp(frame.data, content, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_framing framing = {0};

	if (size < 4)
		return 0;
	framing.kind = (enum weir_frame_kind)(data[0] % 4);
	framing.little = data[0] & 16;
	framing.whole = data[0] & 32;
	framing.width = data[1] % 10;
	framing.max = data[2];
	framing.size = data[1];
	framing.delimiter = data + 3;
	framing.delimiter_length = 1 + data[1] % 3;
	if (size < 3 + framing.delimiter_length)
		return 0;
	check_found(
	    &framing, data + 3, size - 3, framing.max ? framing.max : 65536);
	check_there_and_back(&framing, data + 3, size - 3);
	return 0;
}
