/*
 * select.c - the reactor on select(2)
 *
 * The bitmaps are our own and grow with the descriptors, and the call is the
 * kernel's: the 1,024 descriptors of FD_SET are a limit of the C library. The
 * kernel looks at every bit below the highest descriptor of the set. For few
 * descriptors with low numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/clock.h"
#include "runtime/io/reactor.h"

#define SELECT_WORD_BITS      (8 * sizeof(unsigned long))
#define SELECT_WORDS_AT_FIRST 4

enum { SELECT_IN, SELECT_OUT, SELECT_SETS };

struct select_state {
	struct level level; /* first: it is worker->backend_state */
	unsigned long *want[SELECT_SETS];
	unsigned long *got[SELECT_SETS]; /* the kernel writes here */
	size_t words; /* of each, all in one block at want[0] */
	size_t words_used; /* nothing is set beyond */
	size_t next; /* where the next look begins: nobody starves */
};

static void
select_put(struct select_state *state, int set, int fd, bool on)
{
	unsigned long bit = 1ul << (size_t)fd % SELECT_WORD_BITS;
	unsigned long *word = &state->want[set][(size_t)fd / SELECT_WORD_BITS];

	*word = on ? *word | bit : *word & ~bit;
}

static void
select_interest(struct level *level, int fd, unsigned events)
{
	struct select_state *state = (struct select_state *)level;
	size_t word = (size_t)fd / SELECT_WORD_BITS;

	select_put(state, SELECT_IN, fd, (events & IO_IN) != 0);
	select_put(state, SELECT_OUT, fd, (events & IO_OUT) != 0);
	if (events != 0)
		state->words_used = max_of(state->words_used, word + 1);
	/* The wake's bit ends it. */
	while (state->want[SELECT_IN][state->words_used - 1] == 0 &&
	    state->want[SELECT_OUT][state->words_used - 1] == 0)
		state->words_used--;
}

static int
select_grow(struct select_state *state, int fd)
{
	size_t words = max_of(state->words, (size_t)SELECT_WORDS_AT_FIRST);
	unsigned long *block;

	if ((size_t)fd < state->words * SELECT_WORD_BITS)
		return 0;
	while (words * SELECT_WORD_BITS <= (size_t)fd)
		words *= 2;
	block = calloc(2 * SELECT_SETS * words, sizeof(*block));
	if (block == NULL)
		return -ENOMEM;
	for (int i = 0; i < SELECT_SETS && state->words > 0; i++)
		memcpy(block + (size_t)i * words, state->want[i],
		    state->words * sizeof(*block));
	free(state->want[0]);
	for (size_t i = 0; i < SELECT_SETS; i++) {
		state->want[i] = block + i * words;
		state->got[i] = block + (SELECT_SETS + i) * words;
	}
	state->words = words;
	return 0;
}

static void
select_close(struct worker *worker)
{
	struct select_state *state = worker->backend_state;

	level_close(&state->level);
	free(state->want[0]);
	free(state);
	worker->backend_state = NULL;
}

static int
select_open(struct worker *worker)
{
	struct select_state *state = calloc(1, sizeof(*state));
	int error;

	if (state == NULL)
		return -ENOMEM;
	worker->backend_state = state;
	/* A half-closed socket is readable, and nothing more is told. */
	state->level.no_hangup = true;
	error = level_open(&state->level, select_interest);
	if (error == 0)
		error = select_grow(state, state->level.wake);
	if (error < 0) {
		select_close(worker);
		return error;
	}
	select_interest(&state->level, state->level.wake, IO_IN);
	return 0;
}

static int
select_attach(struct worker *worker, struct io_fd *io)
{
	int error = level_check(io->fd);

	if (error == 0)
		error = select_grow(worker->backend_state, io->fd);
	io->ready = IO_OUT;
	return error;
}

static int
select_call(struct select_state *state, const struct timespec *left)
{
	for (int i = 0; i < SELECT_SETS; i++)
		memcpy(state->got[i], state->want[i],
		    state->words_used * sizeof(unsigned long));
	return (int)syscall(SYS_pselect6, state->words_used * SELECT_WORD_BITS,
	    state->got[SELECT_IN], state->got[SELECT_OUT], NULL, left, NULL);
}

/* A descriptor was closed behind our back: the set is left with those only,
 * and the calls on them will tell. */
static int
select_keep_closed(struct select_state *state)
{
	int count = 0;

	for (size_t w = 0; w < state->words_used; w++) {
		unsigned long in = state->want[SELECT_IN][w];
		unsigned long out = state->want[SELECT_OUT][w];
		unsigned long closed = 0;

		for (unsigned long rest = in | out; rest != 0;
		     rest &= rest - 1) {
			int fd =
			    (int)(w * SELECT_WORD_BITS) + __builtin_ctzl(rest);

			if (fcntl(fd, F_GETFD) < 0) {
				closed |= rest & -rest;
				count++;
			}
		}
		state->got[SELECT_IN][w] = in & closed;
		state->got[SELECT_OUT][w] = out & closed;
	}
	return count;
}

/* False: the batch is full. */
static bool
select_note_word(struct select_state *state, size_t word, unsigned batch)
{
	unsigned long in = state->got[SELECT_IN][word];
	unsigned long out = state->got[SELECT_OUT][word];

	for (unsigned long rest = in | out; rest != 0; rest &= rest - 1) {
		unsigned long bit = rest & -rest;
		int fd = (int)(word * SELECT_WORD_BITS) + __builtin_ctzl(rest);

		if (!level_note(&state->level, fd,
			(uint8_t)(((in & bit) != 0 ? IO_IN : 0) |
			    ((out & bit) != 0 ? IO_OUT : 0)),
			batch))
			return false;
	}
	return true;
}

static void
select_note(struct select_state *state, unsigned batch)
{
	size_t at = state->next < state->words_used ? state->next : 0;

	for (size_t i = 0; i < state->words_used; i++) {
		if (!select_note_word(state, at, batch))
			break;
		at = at + 1 < state->words_used ? at + 1 : 0;
	}
	state->next = at;
}

static int
select_poll(struct worker *worker, instant until, unsigned batch)
{
	struct select_state *state = worker->backend_state;
	struct timespec left;
	int count;

	count = select_call(state, reactor_left(until, &left));
	if (count < 0 && errno == EBADF)
		count = select_keep_closed(state);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	/* Hooks and completions look at the time. */
	worker->now = clock_now();
	if (count > 0)
		select_note(state, min_of(batch, (unsigned)WORKER_POLL_BATCH));
	return level_run(worker);
}

const struct io_backend io_select = {
    .name = "select",
    .tries = true,
    .open = select_open,
    .close = select_close,
    .attach = select_attach,
    .detach = level_detach,
    .submit = level_submit,
    .cancel = level_cancel,
    .watch = level_watch,
    .poll = select_poll,
    .wake = level_wake,
};
