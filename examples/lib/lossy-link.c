/*
 * lossy-link.c - TCP and UDP over the same bad link
 *
 *   cc lossy-link.c $(pkg-config --cflags --libs weir)
 *
 * The same hundred numbers go over a simulated link that loses one packet in
 * ten, doubles some and lets some be overtaken. Of the datagrams there arrives
 * what the link made of them, at once. TCP brings every number, in order, and
 * later. The link is simulated, from a seed: every run prints the same.
 */
#include <weir/weir.h>

#include <assert.h>
#include <stdio.h>

#define NUMBERS 100

static struct weir_address here, there;
static weir_time started;
static weir_time ended; /* when the last one came */

/* A number every millisecond, as a datagram or as four bytes of a stream. */
static int
talk(struct weir_io *io, bool datagrams)
{
	int error = 0;

	started = weir_now();
	for (int i = 0; i < NUMBERS && error >= 0; i++) {
		struct weir_datagram one = {
		    .at = &i, .length = sizeof(i), .peer = there};

		error = datagrams
		    ? weir_udp_send(io, &one, WEIR_NEVER)
		    : (int)weir_send(io, &i, sizeof(i), NULL, WEIR_NEVER);
		if (error >= 0)
			error = weir_sleep(WEIR_MILLISECOND);
	}
	weir_io_close(io);
	return error < 0 ? error : 0;
}

static int
udp_sender(void *arg)
{
	struct weir_io io;
	int error = weir_udp_open(&io, &here, NULL);

	return error < 0 ? error : talk(&io, true);
}

static int
tcp_sender(void *arg)
{
	struct weir_io io;
	int error = weir_dial_address(&io, &there, NULL, WEIR_NEVER);

	return error < 0 ? error : talk(&io, false);
}

static void
report(const char *name, const int *seen, int late)
{
	int lost = 0, twice = 0;

	for (int i = 0; i < NUMBERS; i++) {
		lost += seen[i] == 0;
		twice += seen[i] > 1;
	}
	printf("%s: %d lost, %d more than once, %d overtaken, after %lld ms\n",
	    name, lost, twice, late,
	    (long long)((ended - started) / WEIR_MILLISECOND));
}

static int
hear(struct weir_io *io, const char *name, int *ret_late)
{
	int seen[NUMBERS] = {0}, number, highest = -1;

	*ret_late = 0;
	/* UDP has no end: after a second of silence we stop waiting. */
	while (weir_recv(io, &number, sizeof(number),
		   weir_after(WEIR_SECOND)) == sizeof(number)) {
		assert(number >= 0 && number < NUMBERS);
		seen[number]++;
		*ret_late += number < highest;
		highest = number > highest ? number : highest;
		ended = weir_now();
	}
	report(name, seen, *ret_late);
	weir_io_close(io);
	return seen[0];
}

static int
root(void *arg)
{
	struct weir_scope scope;
	struct weir_io io, listener;
	int late, fd;

	if (weir_address_parse("10.0.0.1:7000", &here) < 0 ||
	    weir_address_parse("10.0.0.2:7000", &there) < 0)
		return -1;
	weir_scope_init(&scope, WEIR_NEVER);
	if (weir_udp_open(&io, &there, NULL) < 0 ||
	    weir_task_start(&scope, "udp sender", udp_sender, NULL) < 0)
		return -1;
	hear(&io, "UDP", &late);

	if (weir_listen(&listener, &there, NULL) < 0 ||
	    weir_task_start(&scope, "tcp sender", tcp_sender, NULL) < 0)
		return -1;
	fd = weir_accept(&listener, NULL, NULL, WEIR_NEVER);
	if (fd < 0 || weir_io_attach(&io, fd) < 0)
		return -1;
	hear(&io, "TCP", &late);
	assert(late == 0);
	weir_io_close(&listener);
	return weir_scope_fini(&scope);
}

int
main(void)
{
	struct weir_sim_options sim = {
	    .seed = 7,
	    .link = {.latency_ns = 20 * WEIR_MILLISECOND,
		.loss_ppm = 100000,
		.duplicate_ppm = 50000,
		.reorder_ppm = 50000},
	};
	struct weir_options options = {.backend = "sim", .sim = &sim};

	return weir_run(&options, root, NULL) == 0 ? 0 : 1;
}
