/*
 * protocol_test.c - push form: what is told when, and what is held back
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <weir/weir.h>

/* What the protocol was told, and by whom. */
static char said[4096];
static struct weir_transport *last;

static void
say(const char *text, size_t length)
{
	size_t at = strlen(said);

	assert_true(at + length < sizeof(said));
	memcpy(said + at, text, length);
	said[at + length] = '\0';
}

static int
note_made(struct weir_transport *t)
{
	last = t;
	say("made ", 5);
	return 0;
}

static void
note_lost(struct weir_transport *t, int error)
{
	char text[32];

	(void)t;
	last = NULL;
	snprintf(text, sizeof(text), "lost %d ", -error);
	say(text, strlen(text));
}

static ssize_t
echo_data(struct weir_transport *t, const void *bytes, size_t length)
{
	return weir_transport_write(t, bytes, length) == 0 ? (ssize_t)length
							   : 0;
}

static int
echo_frame(struct weir_transport *t, const struct weir_frame *frame)
{
	say("[", 1);
	say(frame->data, frame->length);
	say("]", 1);
	return weir_transport_write_frame(t, frame->data, frame->length);
}

static const struct weir_framing lines = {.kind = WEIR_FRAME_LINE, .max = 16};
static const struct weir_protocol echo = {
    .name = "echo", .made = note_made, .data = echo_data, .lost = note_lost};
static const struct weir_protocol line_echo = {.name = "lines",
    .made = note_made,
    .framing = &lines,
    .frame = echo_frame,
    .lost = note_lost};

struct run {
	const struct weir_protocol *protocol;
	void *user;
	int fd;
	int result;
	bool done;
};

static int
run_task(void *arg)
{
	struct run *run = arg;

	run->result = weir_protocol_run(run->fd, run->protocol, run->user);
	run->done = true;
	return 0;
}

/* A transport on one end, @test on the other. */
struct ends {
	struct weir_scope scope;
	struct run run;
	struct weir_io io;
};

static void
ends_open(struct ends *e, const struct weir_protocol *protocol)
{
	int fds[2];

	said[0] = '\0';
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	e->run = (struct run){.protocol = protocol, .user = e, .fd = fds[0]};
	assert_int_equal(weir_io_attach(&e->io, fds[1]), 0);
	weir_scope_init(&e->scope, WEIR_NEVER);
	assert_int_equal(
	    weir_task_start(&e->scope, "transport", run_task, &e->run), 0);
}

static void
ends_close(struct ends *e)
{
	weir_io_close(&e->io);
	assert_int_equal(weir_scope_wait(&e->scope), 0);
	assert_int_equal(weir_scope_fini(&e->scope), 0);
}

static void
put(struct ends *e, const char *text)
{
	assert_int_equal(weir_send(&e->io, text, strlen(text), NULL,
			     weir_after(5 * WEIR_SECOND)),
	    strlen(text));
}

static void
expect(struct ends *e, const char *text)
{
	char got[256];
	size_t length = 0;
	ssize_t r;

	while (length < strlen(text)) {
		r = weir_recv(&e->io, got + length, strlen(text) - length,
		    weir_after(5 * WEIR_SECOND));
		assert_true(r > 0);
		length += (size_t)r;
	}
	assert_memory_equal(got, text, length);
}

static void
expect_end(struct ends *e)
{
	char got;

	assert_int_equal(
	    weir_recv(&e->io, &got, 1, weir_after(5 * WEIR_SECOND)), 0);
}

static int
part_echo(void *arg)
{
	struct ends e;

	(void)arg;
	ends_open(&e, &echo);
	put(&e, "one");
	expect(&e, "one");
	/* Long enough for the transport to give its task back. */
	assert_int_equal(weir_sleep(20 * WEIR_MILLISECOND), 0);
	put(&e, "two");
	expect(&e, "two");
	ends_close(&e);
	assert_int_equal(e.run.result, 0);
	assert_string_equal(said, "made lost 0 ");
	return 0;
}

static int
part_frames(void *arg)
{
	struct ends e;

	(void)arg;
	ends_open(&e, &line_echo);
	put(&e, "one\r\ntwo\nth");
	expect(&e, "one\r\ntwo\r\n");
	put(&e, "r");
	assert_int_equal(weir_sleep(20 * WEIR_MILLISECOND), 0);
	put(&e, "ee\n");
	expect(&e, "three\r\n");
	put(&e, "half");
	ends_close(&e);
	assert_int_equal(e.run.result, -EBADMSG);
	assert_string_equal(said, "made [one][two][three]lost 74 ");

	ends_open(&e, &line_echo);
	put(&e, "12345678901234567890");
	expect_end(&e);
	ends_close(&e);
	assert_int_equal(e.run.result, -EMSGSIZE);
	return 0;
}

/* Writes until it is refused, and again when there is room. */
struct flood {
	size_t left;
	unsigned refused;
	unsigned drained;
};

static void
flood_write(struct weir_transport *t)
{
	struct ends *e = weir_transport_user(t);
	struct flood *flood = (struct flood *)e->run.user;
	static const char block[1000];
	int error;

	(void)e;
	while (flood->left > 0) {
		error = weir_transport_write(t, block, sizeof(block));
		if (error == -EAGAIN) {
			flood->refused++;
			return;
		}
		assert_int_equal(error, 0);
		flood->left -= sizeof(block);
	}
	weir_transport_close(t);
}

static struct flood flood;

static int
flood_made(struct weir_transport *t)
{
	struct ends *e = weir_transport_user(t);

	e->run.user = &flood;
	flood_write(t);
	return 0;
}

static void
flood_drained(struct weir_transport *t)
{
	flood.drained++;
	flood_write(t);
}

static int
part_flood(void *arg)
{
	static const struct weir_protocol protocol = {.name = "flood",
	    .made = flood_made,
	    .data = echo_data,
	    .drained = flood_drained,
	    .lost = note_lost};
	char block[4096];
	size_t total = 0;
	struct ends e;
	ssize_t r;

	(void)arg;
	flood = (struct flood){.left = 3000000};
	ends_open(&e, &protocol);
	assert_int_equal(weir_sleep(5 * WEIR_MILLISECOND), 0);
	/* It stands until somebody reads. */
	assert_true(flood.refused == 1 && flood.left > 2000000);
	while ((r = weir_recv(&e.io, block, sizeof(block),
		    weir_after(5 * WEIR_SECOND))) > 0)
		total += (size_t)r;
	assert_int_equal(r, 0);
	assert_int_equal(total, 3000000);
	assert_true(flood.drained > 1 && flood.refused >= flood.drained);
	ends_close(&e);
	assert_int_equal(e.run.result, 0);
	return 0;
}

/* Much more than a socket holds. */
#define HALF_HIGH ((size_t)4 << 20)

static struct {
	size_t written;
	size_t received;
	size_t left; /* written and not received, when room was told */
} half;

static int
half_made(struct weir_transport *t)
{
	static const char block[4096];

	while (weir_transport_write(t, block, sizeof(block)) == 0)
		half.written += sizeof(block);
	return 0;
}

static void
half_drained(struct weir_transport *t)
{
	half.left = half.written - half.received;
	weir_transport_close(t);
}

/* There is room again at half, while the rest is still to be sent. */
static int
part_half(void *arg)
{
	static const struct weir_protocol protocol = {.name = "half",
	    .made = half_made,
	    .data = echo_data,
	    .drained = half_drained,
	    .lost = note_lost,
	    .output_high = HALF_HIGH};
	static char block[4096];
	struct ends e;
	ssize_t r;

	(void)arg;
	ends_open(&e, &protocol);
	while ((r = weir_recv(&e.io, block, sizeof(block),
		    weir_after(5 * WEIR_SECOND))) > 0)
		half.received += (size_t)r;
	assert_int_equal(r, 0);
	assert_int_equal(half.received, half.written);
	assert_true(half.written > HALF_HIGH);
	assert_true(half.left > HALF_HIGH / 4 && half.left < HALF_HIGH);
	ends_close(&e);
	return 0;
}

/* A peer that takes nothing is given up. */
static int
part_send_limit(void *arg)
{
	static const struct weir_protocol protocol = {.name = "flood",
	    .made = flood_made,
	    .data = echo_data,
	    .drained = flood_drained,
	    .lost = note_lost,
	    .send_ns = 30 * WEIR_MILLISECOND};
	weir_time until = weir_after(5 * WEIR_SECOND);
	struct ends e;

	(void)arg;
	flood = (struct flood){.left = 3000000};
	ends_open(&e, &protocol);
	while (!e.run.done && weir_now() < until)
		assert_int_equal(weir_sleep(5 * WEIR_MILLISECOND), 0);
	assert_true(e.run.done);
	assert_int_equal(e.run.result, -ETIMEDOUT);
	assert_string_equal(said, "lost 110 ");
	ends_close(&e);
	return 0;
}

/* An echo that is not read stops reading: the sender is held back. */
static int
part_back_pressure(void *arg)
{
	static const char block[65536];
	size_t total = 0;
	size_t sent = 0;
	size_t got = 0;
	struct ends e;
	static char into[65536];
	ssize_t r;

	(void)arg;
	ends_open(&e, &echo);
	do {
		r = weir_send(&e.io, block, sizeof(block), &sent,
		    weir_after(50 * WEIR_MILLISECOND));
		total += sent;
	} while (r > 0);
	assert_int_equal(r, -ETIMEDOUT);
	assert_true(total < 4000000);
	while (got < total) {
		r = weir_recv(
		    &e.io, into, sizeof(into), weir_after(5 * WEIR_SECOND));
		assert_true(r > 0);
		got += (size_t)r;
	}
	put(&e, "still there");
	expect(&e, "still there");
	ends_close(&e);
	return 0;
}

static int
part_ends(void *arg)
{
	static const struct weir_protocol impatient = {.name = "impatient",
	    .made = note_made,
	    .data = echo_data,
	    .lost = note_lost,
	    .idle_ns = 30 * WEIR_MILLISECOND};
	struct ends e;

	(void)arg;
	ends_open(&e, &impatient);
	expect_end(&e);
	ends_close(&e);
	assert_int_equal(e.run.result, -ETIMEDOUT);
	assert_string_equal(said, "made lost 110 ");

	/* From outside, with somebody waiting and without. */
	ends_open(&e, &echo);
	assert_int_equal(weir_sleep(10 * WEIR_MILLISECOND), 0);
	weir_transport_abort(last, -EPERM);
	assert_null(last);
	expect_end(&e);
	ends_close(&e);
	assert_int_equal(e.run.result, -EPERM);

	ends_open(&e, &echo);
	assert_int_equal(weir_sleep(10 * WEIR_MILLISECOND), 0);
	assert_int_equal(weir_transport_write(last, "bye", 3), 0);
	weir_transport_close(last);
	expect(&e, "bye");
	expect_end(&e);
	ends_close(&e);
	assert_int_equal(e.run.result, 0);

	ends_open(&e, &echo);
	assert_int_equal(weir_sleep(10 * WEIR_MILLISECOND), 0);
	weir_scope_cancel(&e.scope, 0);
	expect_end(&e);
	weir_io_close(&e.io);
	weir_scope_fini(&e.scope);
	assert_int_equal(e.run.result, -ECANCELED);
	assert_string_equal(said, "made lost 125 ");
	return 0;
}

static int
paused_made(struct weir_transport *t)
{
	last = t;
	weir_transport_pause(t);
	return 0;
}

static int
part_pause(void *arg)
{
	static const struct weir_protocol protocol = {.name = "paused",
	    .made = paused_made,
	    .framing = &lines,
	    .frame = echo_frame,
	    .lost = note_lost};
	struct ends e;

	(void)arg;
	ends_open(&e, &protocol);
	put(&e, "a\nb\n");
	assert_int_equal(weir_sleep(20 * WEIR_MILLISECOND), 0);
	assert_string_equal(said, "");
	weir_transport_resume(last);
	expect(&e, "a\r\nb\r\n");
	assert_string_equal(said, "[a][b]");
	ends_close(&e);
	return 0;
}

static int
pausing_frame(struct weir_transport *t, const struct weir_frame *frame)
{
	if (frame->length == 1)
		weir_transport_pause(t);
	return weir_transport_write_frame(t, frame->data, frame->length);
}

/* What came with the frame that paused is kept, however much it is. */
static int
part_pause_in_burst(void *arg)
{
	static const struct weir_protocol protocol = {.name = "pausing",
	    .made = note_made,
	    .framing = &lines,
	    .frame = pausing_frame,
	    .lost = note_lost};
	struct ends e;
	char text[1024] = "a\r\n";

	(void)arg;
	for (int i = 0; i < 100; i++)
		memcpy(text + 3 + 7 * i, "bcdef\r\n", 8);
	ends_open(&e, &protocol);
	put(&e, text);
	expect(&e, "a\r\n");
	assert_int_equal(weir_sleep(20 * WEIR_MILLISECOND), 0);
	assert_non_null(last);
	weir_transport_resume(last);
	for (int i = 0; i < 100; i++)
		expect(&e, "bcdef\r\n");
	ends_close(&e);
	assert_string_equal(said, "made lost 0 ");
	return 0;
}

/* ---- a server ---- */

static int
serve_task(void *arg)
{
	return weir_protocol_serve(arg, &echo, NULL, 2);
}

static int
connect_to(const struct sockaddr_un *address, struct weir_io *io)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(weir_io_attach(io, fd), 0);
	return weir_connect(io, (const struct sockaddr *)address,
	    sizeof(*address), weir_after(5 * WEIR_SECOND));
}

static int
part_serve(void *arg)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct weir_io listener, peers[3];
	struct weir_scope scope;
	char got[8];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	(void)arg;
	said[0] = '\0';
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
	    "weir-protocol-test-%d", getpid());
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(weir_io_attach(&listener, fd), 0);
	weir_scope_init(&scope, WEIR_NEVER);
	assert_int_equal(
	    weir_task_start(&scope, "serve", serve_task, &listener), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(connect_to(&address, &peers[i]), 0);
		assert_int_equal(
		    weir_send(&peers[i], "x", 1, NULL, WEIR_NEVER), 1);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    weir_recv(&peers[i], got, sizeof(got), WEIR_NEVER), 1);
	/* Two at a time: the third waits until one has left. */
	assert_int_equal(weir_recv(&peers[2], got, sizeof(got),
			     weir_after(30 * WEIR_MILLISECOND)),
	    -ETIMEDOUT);
	weir_io_close(&peers[0]);
	assert_int_equal(weir_recv(&peers[2], got, sizeof(got), WEIR_NEVER), 1);
	assert_string_equal(said, "made made lost 0 made ");
	weir_scope_cancel(&scope, 0);
	weir_scope_fini(&scope);
	assert_string_equal(said, "made made lost 0 made lost 125 lost 125 ");
	assert_int_equal(weir_recv(&peers[1], got, sizeof(got), WEIR_NEVER), 0);
	weir_io_close(&peers[1]);
	weir_io_close(&peers[2]);
	weir_io_close(&listener);
	return 0;
}

static void
test_parts(void **state)
{
	static const weir_task_fn parts[] = {part_echo, part_frames, part_flood,
	    part_half, part_send_limit, part_back_pressure, part_ends,
	    part_pause, part_pause_in_burst, part_serve};
	struct weir_options options = {.worker_count = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		assert_int_equal(weir_run(&options, parts[i], NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
