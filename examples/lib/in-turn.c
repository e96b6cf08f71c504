/*
 * in-turn.c - ten tasks print 1 to 1000, each the numbers that end in its digit
 *
 *   cc in-turn.c $(pkg-config --cflags --libs weir)
 *
 * A ring of channels passes the turn round, and with it the number: who holds
 * it prints, adds one and hands it on. No lock, and nobody asks in vain whether
 * it is his turn. The tasks are spread over the workers, so the channels are
 * shared.
 */
#include <weir/weir.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define TASKS 10
#define LAST  1000

struct player {
	struct weir_channel *in, *out; /* a reference of each */
	struct weir_event *ended; /* of the last one */
	int digit;
};

static int
play(void *arg)
{
	struct player *player = arg;
	int number;

	while (weir_channel_recv(player->in, &number, WEIR_NEVER) == 0) {
		assert(number % TASKS == player->digit);
		printf("%d%c", number, number % 100 == 0 ? '\n' : ' ');
		if (++number > LAST)
			break;
		if (weir_channel_send(player->out, &number, WEIR_NEVER) < 0)
			break;
	}
	/* The end goes round too. */
	weir_channel_close(player->out);
	weir_channel_unref(player->in);
	weir_channel_unref(player->out);
	weir_event_set(player->ended);
	return 0;
}

static int
root(void *arg)
{
	static struct player players[TASKS];
	struct weir_channel_options options = {
	    .item_bytes = sizeof(int), .capacity = 1, .shared = true};
	struct weir_channel *ring[TASKS];
	struct weir_event ended[TASKS];
	int first = 1;

	(void)arg;
	for (int i = 0; i < TASKS; i++) {
		weir_event_init(&ended[i]);
		assert(weir_channel_new(&options, &ring[i]) == 0);
	}
	for (int i = 0; i < TASKS; i++) {
		players[i] = (struct player){.in = weir_channel_ref(ring[i]),
		    .out = weir_channel_ref(ring[(i + 1) % TASKS]),
		    .ended = &ended[i],
		    .digit = i};
		assert(weir_worker_start((unsigned)i % weir_worker_count(),
			   "player", play, &players[i]) == 0);
	}
	assert(weir_channel_send(ring[1], &first, WEIR_NEVER) == 0);
	for (int i = 0; i < TASKS; i++) {
		assert(weir_event_wait(&ended[i], WEIR_NEVER) == 0);
		weir_channel_unref(ring[i]);
	}
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 2};

	return weir_run(&options, root, NULL) < 0;
}
