/*
 * sim_protocol.c - protocols in push form against clients by seed
 *
 * The server echoes lines, refuses to take more than it can hold, pauses,
 * closes and aborts at its own whim; clients write lines torn anywhere, read
 * slowly or not, and leave. What a client hears is a beginning of what it said,
 * in order and whole lines of it. Each transport that was made is lost, once,
 * and nothing waits beyond its limit.
 */
#include <weir/protocol.h>

#include "public/inner.h"
#include "sim_case.h"

#define CLIENTS_MAX 8
#define LINES_MAX   200
#define LINE_BYTES  12 /* "123456789\r\n" and NUL */
#define OUTPUT_HIGH 2000
#define PATIENCE_MS 20000

static struct hall {
	bool calm;
	struct io_fd listener;
	unsigned made, lost;
	unsigned refused, drained;
} hall;

/* ---- the server ---- */

static int
hall_made(struct weir_transport *transport)
{
	weir_transport_user_set(transport, NULL);
	hall.made++;
	return !hall.calm && one_in(50) ? -EPERM : 0;
}

/* A line that was refused waits in @user; frames stop until it has gone. */
static int
hall_frame(struct weir_transport *transport, const struct weir_frame *frame)
{
	char *kept;
	int error;

	expect(frame->length == 9, "a line of %zu", frame->length);
	if (!hall.calm && one_in(200))
		weir_transport_close(transport);
	if (!hall.calm && one_in(200))
		return -EPROTO;
	if (!hall.calm && one_in(20)) {
		int r = task_sleep(duration_ms(between(0, 50)));

		if (r < 0)
			return r;
	}
	error =
	    weir_transport_write_frame(transport, frame->data, frame->length);
	if (error != -EAGAIN)
		return error == -EPIPE ? 0 : error;
	hall.refused++;
	kept = strndup(frame->data, frame->length);
	expect(
	    weir_transport_user(transport) == NULL, "%s after a refusal", kept);
	weir_transport_user_set(transport, kept);
	return 0;
}

static void
hall_drained(struct weir_transport *transport)
{
	char *kept = weir_transport_user(transport);

	hall.drained++;
	if (kept == NULL)
		return;
	weir_transport_user_set(transport, NULL);
	/* There is room: that is what was told. */
	int error = weir_transport_write_frame(transport, kept, strlen(kept));
	expect(error == 0 || error == -ENOMEM || error == -EPIPE,
	    "a write after drained: %d", error);
	free(kept);
	if (error == -ENOMEM)
		weir_transport_abort(transport, error);
}

static void
hall_lost(struct weir_transport *transport, int error)
{
	expect(error <= 0, "lost with %d", error);
	free(weir_transport_user(transport));
	hall.lost++;
}

static int
hall_serve(void *arg)
{
	static const struct weir_framing lines = {
	    .kind = WEIR_FRAME_LINE, .max = 9};
	static const struct weir_protocol protocol = {.name = "hall",
	    .made = hall_made,
	    .framing = &lines,
	    .frame = hall_frame,
	    .drained = hall_drained,
	    .lost = hall_lost,
	    .output_high = OUTPUT_HIGH,
	    .idle_ns = 60 * WEIR_SECOND,
	    .send_ns = 60 * WEIR_SECOND};

	(void)arg;
	return weir_protocol_serve(
	    (struct weir_io *)&hall.listener, &protocol, NULL, 4);
}

/* ---- clients ---- */

struct guest {
	struct io_fd io;
	char said[LINES_MAX * LINE_BYTES];
	size_t length;
	size_t heard;
	bool read_all;
};

/* All lines, torn at any byte. */
static int
guest_speak(void *arg)
{
	struct guest *guest = arg;
	size_t at = 0;
	ssize_t r = 0;

	while (at < guest->length && r >= 0) {
		size_t piece =
		    min_of(guest->length - at, (size_t)between(1, 100));

		r = io_send(&guest->io, guest->said + at, piece, NULL,
		    in_ms(6 * PATIENCE_MS));
		at += piece;
		if (r >= 0 && one_in(10))
			r = task_sleep(duration_ms(between(0, 30)));
	}
	return 0;
}

static void
guest_listen(struct guest *guest)
{
	char block[300];
	ssize_t r;

	while (guest->heard < guest->length) {
		r = io_recv(&guest->io, block, (size_t)between(1, 300),
		    in_ms(6 * PATIENCE_MS));
		if (r <= 0) {
			expect(!hall.calm || r == -ECANCELED,
			    "calm, and %zd after %zu of %zu bytes", r,
			    guest->heard, guest->length);
			return;
		}
		expect(guest->heard + (size_t)r <= guest->length &&
			memcmp(block, guest->said + guest->heard, (size_t)r) ==
			    0,
		    "%zd wrong bytes at %zu", r, guest->heard);
		guest->heard += (size_t)r;
		if (one_in(10) && task_sleep(duration_ms(between(0, 200))) < 0)
			return;
		if (!guest->read_all && one_in(20))
			return;
	}
}

static int
guest_task(void *arg)
{
	struct sockaddr_in to = host(2, 7000);
	struct guest *guest = calloc(1, sizeof(*guest));
	struct scope scope;
	int fd, lines = between(1, LINES_MAX);

	(void)arg;
	if (guest == NULL)
		return 0;
	for (int i = 0; i < lines; i++)
		guest->length +=
		    (size_t)sprintf(guest->said + guest->length, "%09d\r\n", i);
	guest->read_all = hall.calm || one_in(2);
	fd = socket_open(AF_INET, SOCK_STREAM, 0);
	if (fd >= 0 && io_attach(&guest->io, fd) < 0)
		socket_close(fd), fd = -1;
	if (fd < 0) {
		free(guest);
		return 0;
	}
	if (io_connect(&guest->io, (struct sockaddr *)&to, sizeof(to),
		in_ms(PATIENCE_MS)) == 0) {
		scope_init(&scope, instant_never());
		if (task_start(&scope, "speak", guest_speak, guest) == 0)
			guest_listen(guest);
		scope_fini(&scope);
	}
	io_close(&guest->io);
	free(guest);
	return 0;
}

static int
hall_root(void *arg)
{
	static const struct sim_faults few = {
	    .short_ppm = 200000, .not_ready_ppm = 100000, .late_ppm = 100000};
	static const struct sim_link near = {.latency = {2000000}};
	struct sockaddr_in at = host(2, 7000);
	struct scope server, guests;
	int count = between(1, CLIENTS_MAX);

	(void)arg;
	memset(&hall, 0, sizeof(hall));
	hall.calm = one_in(3);
	if (hall.calm) {
		sim_faults_set(&few);
		must(sim_link_set(NULL, NULL, &near) == 0);
	}
	listen_surely(&hall.listener, &at);
	scope_init(&server, instant_never());
	scope_init(&guests, instant_never());
	if (task_start(&server, "serve", hall_serve, NULL) == 0) {
		for (int i = 0; i < count; i++)
			(void)!task_start(&guests, "guest", guest_task, NULL);
		if (!hall.calm && one_in(3) &&
		    task_sleep(duration_ms(between(1, 2000))) == 0)
			scope_cancel(one_in(2) ? &guests : &server, 0);
		(void)scope_wait(&guests);
	}
	scope_fini(&guests);
	scope_fini(&server);
	io_close(&hall.listener);
	expect(
	    hall.made == hall.lost, "%u made, %u lost", hall.made, hall.lost);
	return 0;
}

const struct sim_case sim_case_protocol = {
    .name = "protocol", .root = hall_root};
