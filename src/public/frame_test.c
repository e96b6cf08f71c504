#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/weir.h>

static const struct weir_framing line = {.kind = WEIR_FRAME_LINE, .max = 8};
static const struct weir_framing fixed = {.kind = WEIR_FRAME_FIXED, .size = 3};
static const struct weir_framing mark = {.kind = WEIR_FRAME_DELIMITER,
    .max = 8,
    .delimiter = "<>",
    .delimiter_length = 2};

static void
expect(const struct weir_framing *framing, const char *bytes, size_t length,
    ssize_t result, const char *content)
{
	struct weir_frame frame;
	ssize_t found = weir_frame_find(framing, bytes, length, &frame);

	assert_int_equal(found, result);
	if (result <= 0)
		return;
	assert_int_equal(frame.length, strlen(content));
	assert_memory_equal(frame.data, content, frame.length);
}

#define EXPECT(framing, bytes, result, content)                                \
	expect((framing), (bytes), sizeof(bytes) - 1, (result), (content))

static void
test_lines(void **state)
{
	(void)state;
	EXPECT(&line, "", 0, NULL);
	EXPECT(&line, "ab", 0, NULL);
	EXPECT(&line, "ab\ncd", 3, "ab");
	EXPECT(&line, "ab\r\ncd", 4, "ab");
	EXPECT(&line, "\n", 1, "");
	EXPECT(&line, "\r\n", 2, "");
	EXPECT(&line, "a\rb\r", 0, NULL);
	EXPECT(&line, "a\rb\r\n", 5, "a\rb");
	EXPECT(&line, "12345678\n", 9, "12345678");
	EXPECT(&line, "12345678\r\n", 10, "12345678");
	EXPECT(&line, "12345678\r", 0, NULL);
	EXPECT(&line, "123456789\n", -EMSGSIZE, NULL);
	EXPECT(&line, "123456789\r", -EMSGSIZE, NULL);
	EXPECT(&line, "123456789", 0, NULL);
	EXPECT(&line, "1234567890", -EMSGSIZE, NULL);
}

static void
test_fixed_and_delimiter(void **state)
{
	(void)state;
	EXPECT(&fixed, "ab", 0, NULL);
	EXPECT(&fixed, "abcd", 3, "abc");
	EXPECT(&mark, "ab<", 0, NULL);
	EXPECT(&mark, "ab<>cd<>", 4, "ab");
	EXPECT(&mark, "<>", 2, "");
	EXPECT(&mark, "a<<>", 4, "a<");
	EXPECT(&mark, "12345678<>", 10, "12345678");
	EXPECT(&mark, "12345678<", 0, NULL);
	EXPECT(&mark, "1234567890", -EMSGSIZE, NULL);
	EXPECT(&mark, "123456789<>", -EMSGSIZE, NULL);
}

/* Every width and order, there and back, counted with itself and without. */
static void
test_lengths(void **state)
{
	(void)state;
	for (unsigned width = 1; width <= 8; width++) {
		for (unsigned form = 0; form < 4; form++) {
			struct weir_framing framing = {
			    .kind = WEIR_FRAME_LENGTH,
			    .width = width,
			    .little = form & 1,
			    .whole = form & 2};
			char bytes[64] = {0};
			char tail[WEIR_FRAME_DELIMITER_MAX];
			size_t head = 0;
			size_t rest = 9;

			assert_int_equal(weir_frame_borders(&framing, 5, bytes,
					     &head, tail, &rest),
			    0);
			assert_int_equal(head, width);
			assert_int_equal(rest, 0);
			assert_int_equal(bytes[framing.little ? 0 : width - 1],
			    framing.whole ? 5 + width : 5);
			memcpy(bytes + head, "hello", 5);
			expect(&framing, bytes, head + 4, 0, NULL);
			expect(&framing, bytes, head - 1, 0, NULL);
			expect(&framing, bytes, head + 6, (ssize_t)head + 5,
			    "hello");
		}
	}
}

static void
test_lengths_that_cannot_be(void **state)
{
	struct weir_framing framing = {
	    .kind = WEIR_FRAME_LENGTH, .width = 2, .whole = true, .max = 300};
	char head[WEIR_FRAME_HEAD_MAX];
	char tail[WEIR_FRAME_DELIMITER_MAX];
	size_t a, b;

	(void)state;
	EXPECT(&framing, "\0\1", -EBADMSG, NULL);
	EXPECT(&framing, "\0\2", 2, "");
	EXPECT(&framing, "\1\x2e", 0, NULL);
	EXPECT(&framing, "\1\x2f", -EMSGSIZE, NULL);
	framing.whole = false;
	framing.width = 8;
	EXPECT(&framing, "\xff\xff\xff\xff\xff\xff\xff\xff", -EMSGSIZE, NULL);
	framing.width = 1;
	assert_int_equal(
	    weir_frame_borders(&framing, 255, head, &a, tail, &b), 0);
	assert_int_equal(
	    weir_frame_borders(&framing, 256, head, &a, tail, &b), -EMSGSIZE);
	framing.width = 2;
	assert_int_equal(
	    weir_frame_borders(&framing, 301, head, &a, tail, &b), -EMSGSIZE);
	framing.width = 9;
	EXPECT(&framing, "\0", -EINVAL, NULL);
	framing = (struct weir_framing){.kind = WEIR_FRAME_FIXED};
	EXPECT(&framing, "\0", -EINVAL, NULL);
	assert_int_equal(
	    weir_frame_borders(&fixed, 2, head, &a, tail, &b), -EMSGSIZE);
	framing = (struct weir_framing){.kind = WEIR_FRAME_DELIMITER};
	EXPECT(&framing, "\0", -EINVAL, NULL);
}

/* ---- a reader ---- */

static struct weir_io near_end;
static int far_end;

static void
far_put(const char *text)
{
	assert_int_equal(write(far_end, text, strlen(text)), strlen(text));
}

static weir_time
soon(void)
{
	return weir_after(WEIR_SECOND);
}

static void
expect_frame(struct weir_reader *reader, const struct weir_framing *framing,
    const char *content)
{
	struct weir_frame frame;

	assert_int_equal(weir_reader_frame(reader, framing, &frame, soon()), 1);
	assert_int_equal(frame.length, strlen(content));
	assert_memory_equal(frame.data, content, frame.length);
}

static int
read_frames(void *arg)
{
	char buffer[16];
	struct weir_reader reader;
	struct weir_frame frame;

	(void)arg;
	weir_reader_init(&reader, &near_end, buffer, sizeof(buffer));
	/* A delimiter in two parts. */
	far_put("ab<");
	assert_int_equal(weir_reader_frame(&reader, &mark, &frame,
			     weir_after(WEIR_MILLISECOND)),
	    -ETIMEDOUT);
	far_put(">");
	expect_frame(&reader, &mark, "ab");
	/* Glued together, and torn apart. */
	far_put("one\r\ntwo\nabcth");
	expect_frame(&reader, &line, "one");
	expect_frame(&reader, &line, "two");
	expect_frame(&reader, &fixed, "abc");
	assert_int_equal(weir_reader_frame(&reader, &line, &frame,
			     weir_after(5 * WEIR_MILLISECOND)),
	    -ETIMEDOUT);
	far_put("ree\r");
	assert_int_equal(weir_reader_frame(&reader, &line, &frame,
			     weir_after(5 * WEIR_MILLISECOND)),
	    -ETIMEDOUT);
	far_put("\n12<>34");
	expect_frame(&reader, &line, "three");
	expect_frame(&reader, &mark, "12");
	assert_int_equal(weir_reader_bytes(&reader, 2, &frame, soon()), 1);
	assert_memory_equal(frame.data, "34", 2);
	assert_int_equal(weir_reader_bytes(&reader, 0, &frame, soon()), 1);
	assert_int_equal(frame.length, 0);

	far_put("half");
	close(far_end);
	assert_int_equal(
	    weir_reader_frame(&reader, &line, &frame, soon()), -EBADMSG);
	assert_string_equal(weir_reader_error(&reader),
	    "the stream ended 4 bytes into a frame");
	return 0;
}

static int
read_what_is_too_long(void *arg)
{
	const struct weir_framing wide = {.kind = WEIR_FRAME_LINE};
	char buffer[16];
	struct weir_reader reader;
	struct weir_frame frame;

	(void)arg;
	weir_reader_init(&reader, &near_end, buffer, sizeof(buffer));
	far_put("0123456789");
	assert_int_equal(
	    weir_reader_frame(&reader, &line, &frame, soon()), -EMSGSIZE);
	assert_string_equal(
	    weir_reader_error(&reader), "a line is longer than 8 bytes");
	far_put("0123456789");
	assert_int_equal(
	    weir_reader_frame(&reader, &wide, &frame, soon()), -EMSGSIZE);
	assert_string_equal(weir_reader_error(&reader),
	    "a frame is longer than the reader's 16 bytes");
	close(far_end);
	return 0;
}

static int
send_and_read(void *arg)
{
	const struct weir_framing number = {
	    .kind = WEIR_FRAME_LENGTH, .width = 4};
	char bytes[16];

	(void)arg;
	assert_int_equal(
	    weir_frame_send(&near_end, &number, "abc", 3, soon()), 0);
	assert_int_equal(read(far_end, bytes, sizeof(bytes)), 7);
	assert_memory_equal(bytes, "\0\0\0\3abc", 7);
	assert_int_equal(weir_frame_send(&near_end, &line, "x", 1, soon()), 0);
	assert_int_equal(read(far_end, bytes, sizeof(bytes)), 3);
	assert_memory_equal(bytes, "x\r\n", 3);
	assert_int_equal(
	    weir_frame_send(&near_end, &fixed, "x", 1, soon()), -EMSGSIZE);
	close(far_end);
	return 0;
}

static int
with_ends(void *arg)
{
	weir_task_fn *fn = arg;
	int ends[2];
	int result;

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(weir_io_attach(&near_end, ends[0]), 0);
	far_end = ends[1];
	result = (*fn)(NULL);
	weir_io_close(&near_end);
	return result;
}

static void
test_reader(void **state)
{
	static weir_task_fn parts[] = {
	    read_frames, read_what_is_too_long, send_and_read};
	struct weir_options options = {.worker_count = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		assert_int_equal(weir_run(&options, with_ends, &parts[i]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_fixed_and_delimiter),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_lengths_that_cannot_be),
	    cmocka_unit_test(test_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
