#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/random.h"
#include "os/clock.h"
#include "runtime/chan.h"
#include "runtime/runtime.h"

#define WORKERS 3

static const struct runtime_options one_worker = {.worker_count = 1};
static const struct runtime_options some_workers = {.worker_count = WORKERS};

static instant
after_ms(int64_t ms)
{
	return instant_after(clock_now(), duration_ms(ms));
}

static struct chan *
make(uint32_t capacity, enum chan_overflow overflow, bool shared)
{
	struct chan_options options = {.item_bytes = sizeof(int),
	    .capacity = capacity,
	    .overflow = overflow,
	    .shared = shared};
	struct chan *channel;

	assert_int_equal(chan_new(&options, &channel), 0);
	return channel;
}

/* Most tests hold for both kinds: run them with each. */
struct kind {
	bool shared;
};

static void
run_both(task_fn root)
{
	for (int shared = 0; shared <= 1; shared++) {
		struct kind kind = {shared};

		assert_int_equal(runtime_run(&one_worker, root, &kind), 0);
	}
}

/* A call of another task, with how it ended. */
struct call {
	struct chan *channel;
	bool send;
	int item;
	int result;
	bool ended;
	instant deadline;
};

static int
call_run(void *arg)
{
	struct call *call = arg;

	call->result = call->send
	    ? chan_send(call->channel, &call->item, call->deadline)
	    : chan_recv(call->channel, &call->item, call->deadline);
	call->ended = true;
	return 0;
}

static void
start(struct scope *scope, struct call *call)
{
	if (call->deadline.ns == 0)
		call->deadline = instant_never();
	assert_int_equal(task_start(scope, "call", call_run, call), 0);
	assert_int_equal(task_yield(), 0);
}

static int
root_order(void *arg)
{
	struct chan *channel = make(3, CHAN_WAIT, ((struct kind *)arg)->shared);
	struct call late = {.channel = channel, .send = true, .item = 3};
	struct scope scope;
	int item;

	scope_init(&scope, instant_never());
	for (int i = 0; i < 3; i++)
		assert_int_equal(chan_send(channel, &i, instant_never()), 0);
	assert_int_equal(chan_try_send(channel, &item), -EAGAIN);
	assert_int_equal(chan_send(channel, &item, instant_past()), -ETIMEDOUT);
	start(&scope, &late);
	assert_false(late.ended);
	assert_int_equal(chan_length(channel), 3);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(chan_recv(channel, &item, instant_never()), 0);
		assert_int_equal(item, i);
	}
	assert_int_equal(chan_try_recv(channel, &item), -EAGAIN);
	assert_int_equal(chan_recv(channel, &item, after_ms(2)), -ETIMEDOUT);
	assert_int_equal(scope_fini(&scope), 0);
	assert_int_equal(late.result, 0);
	chan_unref(channel);
	return 0;
}

static void
test_order(void **state)
{
	run_both(root_order);
}

/* Without a buffer a send ends when its item was taken; first come, first
 * served on both sides. */
static int
root_meet(void *arg)
{
	struct chan *channel = make(0, CHAN_WAIT, ((struct kind *)arg)->shared);
	struct call calls[4];
	struct scope scope;
	int item;

	scope_init(&scope, instant_never());
	for (int i = 0; i < 4; i++) {
		calls[i] =
		    (struct call){.channel = channel, .send = true, .item = i};
		start(&scope, &calls[i]);
	}
	for (int i = 0; i < 4; i++) {
		assert_false(calls[i].ended);
		assert_int_equal(chan_try_recv(channel, &item), 0);
		assert_int_equal(item, i);
		assert_int_equal(task_yield(), 0);
		assert_true(calls[i].ended);
	}
	for (int i = 0; i < 4; i++) {
		calls[i] = (struct call){.channel = channel};
		start(&scope, &calls[i]);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(chan_try_send(channel, &i), 0);
	assert_int_equal(chan_try_send(channel, &item), -EAGAIN);
	assert_int_equal(scope_wait(&scope), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(calls[i].item, i);
	assert_int_equal(scope_fini(&scope), 0);
	chan_unref(channel);
	return 0;
}

static void
test_meet(void **state)
{
	run_both(root_meet);
}

static int
root_overflow(void *arg)
{
	bool shared = ((struct kind *)arg)->shared;
	struct chan *oldest = make(3, CHAN_DROP_OLDEST, shared);
	struct chan *newest = make(3, CHAN_DROP_NEWEST, shared);
	int item;

	for (int i = 0; i < 10; i++) {
		int dropped = i >= 3;

		assert_int_equal(
		    chan_send(oldest, &i, instant_never()), dropped);
		assert_int_equal(chan_try_send(newest, &i), dropped);
	}
	assert_int_equal(chan_dropped(oldest), 7);
	assert_int_equal(chan_dropped(newest), 7);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(chan_try_recv(oldest, &item), 0);
		assert_int_equal(item, 7 + i);
		assert_int_equal(chan_try_recv(newest, &item), 0);
		assert_int_equal(item, i);
	}
	chan_unref(oldest);
	chan_unref(newest);
	return 0;
}

static void
test_overflow(void **state)
{
	run_both(root_overflow);
}

static int
root_close(void *arg)
{
	bool shared = ((struct kind *)arg)->shared;
	struct chan *channel = make(2, CHAN_WAIT, shared);
	struct chan *empty = make(0, CHAN_WAIT, shared);
	struct call sender = {.channel = channel, .send = true, .item = 9};
	struct call receiver = {.channel = empty};
	struct scope scope;
	int item = 1;

	scope_init(&scope, instant_never());
	assert_int_equal(chan_try_send(channel, &item), 0);
	assert_int_equal(chan_try_send(channel, &item), 0);
	start(&scope, &sender);
	start(&scope, &receiver);
	chan_close(channel);
	chan_close(channel);
	chan_close(empty);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(sender.result, -EPIPE);
	assert_int_equal(receiver.result, -EPIPE);
	assert_int_equal(chan_send(channel, &item, instant_never()), -EPIPE);
	/* What was there is drained, the refused item is not in it. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(chan_recv(channel, &item, instant_never()), 0);
		assert_int_equal(item, 1);
	}
	assert_int_equal(chan_recv(channel, &item, instant_never()), -EPIPE);
	assert_int_equal(chan_try_recv(channel, &item), -EPIPE);
	assert_int_equal(scope_fini(&scope), 0);
	chan_unref(channel);
	chan_unref(empty);
	return 0;
}

static void
test_close(void **state)
{
	run_both(root_close);
}

/* A cancel takes the waiter off; one that meets a hand-off lets it count. */
static int
root_cancel(void *arg)
{
	struct chan *channel = make(0, CHAN_WAIT, ((struct kind *)arg)->shared);
	struct call gone = {.channel = channel};
	struct call served = {.channel = channel};
	struct scope scope, other;
	int item = 5;

	scope_init(&scope, instant_never());
	scope_init(&other, instant_never());
	start(&scope, &gone);
	start(&other, &served);
	scope_cancel(&scope, -ESTALE);
	assert_int_equal(scope_wait(&scope), 0);
	assert_int_equal(gone.result, -ESTALE);
	/* Handed over first, cancelled before it ran. */
	assert_int_equal(chan_try_send(channel, &item), 0);
	scope_cancel(&other, 0);
	assert_int_equal(scope_fini(&other), 0);
	assert_int_equal(served.result, 0);
	assert_int_equal(served.item, 5);
	assert_int_equal(chan_try_send(channel, &item), -EAGAIN);
	assert_int_equal(scope_fini(&scope), 0);
	chan_unref(channel);
	return 0;
}

static void *
try_send_thread(void *arg)
{
	struct call *call = arg;

	call->result = chan_try_send(call->channel, &call->item);
	return NULL;
}

/* Handed over by a thread, cancelled while that message is on its way. */
static int
root_cancel_late(void *arg)
{
	struct chan *channel = make(0, CHAN_WAIT, true);
	struct call served = {.channel = channel};
	struct call sent = {.channel = channel, .item = 5};
	struct scope scope;
	pthread_t thread;

	scope_init(&scope, instant_never());
	start(&scope, &served);
	assert_int_equal(
	    pthread_create(&thread, NULL, try_send_thread, &sent), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(sent.result, 0);
	scope_cancel(&scope, 0);
	assert_int_equal(scope_fini(&scope), 0);
	assert_int_equal(served.result, 0);
	assert_int_equal(served.item, 5);
	chan_unref(channel);
	return 0;
}

static void
test_cancel(void **state)
{
	run_both(root_cancel);
	assert_int_equal(runtime_run(&one_worker, root_cancel_late, NULL), 0);
}

/* In a stopped scope nothing is sent or received, whether it would wait or
 * not. */
static int
refused(void *arg)
{
	struct chan *channel = arg;
	int item = 0;

	assert_int_equal(
	    chan_send(channel, &item, instant_never()), -ECANCELED);
	assert_int_equal(
	    chan_recv(channel, &item, instant_never()), -ECANCELED);
	return 0;
}

static int
root_refused(void *arg)
{
	struct chan *channel = make(4, CHAN_WAIT, ((struct kind *)arg)->shared);
	struct scope scope;
	int item = 1;

	assert_int_equal(chan_try_send(channel, &item), 0);
	scope_init(&scope, instant_never());
	scope_cancel(&scope, 0);
	assert_int_equal(task_start(&scope, "refused", refused, channel), 0);
	assert_int_equal(scope_fini(&scope), 0);
	assert_int_equal(chan_length(channel), 1);
	chan_unref(channel);
	return 0;
}

static void
test_refused(void **state)
{
	run_both(root_refused);
}

/* A task whose channel never makes it wait leaves room for the others. */
static int
greedy(void *arg)
{
	struct call *call = arg;

	for (call->item = 0; !call->ended && call->item < 1000000; call->item++)
		assert_true(chan_send(call->channel, &call->item,
				instant_never()) >= 0);
	return 0;
}

static int
root_greedy(void *arg)
{
	struct chan *channel =
	    make(1, CHAN_DROP_OLDEST, ((struct kind *)arg)->shared);
	struct call call = {.channel = channel};
	struct scope scope;

	scope_init(&scope, instant_never());
	assert_int_equal(task_start(&scope, "greedy", greedy, &call), 0);
	assert_int_equal(task_yield(), 0);
	call.ended = true;
	assert_int_equal(scope_fini(&scope), 0);
	assert_int_equal(call.item, CHAN_STREAK);
	chan_unref(channel);
	return 0;
}

static void
test_greedy(void **state)
{
	run_both(root_greedy);
}

static void
test_options(void **state)
{
	struct chan_options options = {
	    .item_bytes = 1 << 20, .capacity = 1025, .shared = true};
	struct chan *channel;

	assert_int_equal(chan_new(&options, &channel), -EINVAL);
	options =
	    (struct chan_options){.overflow = CHAN_DROP_OLDEST, .shared = true};
	assert_int_equal(chan_new(&options, &channel), -EINVAL);
	options = (struct chan_options){
	    .overflow = (enum chan_overflow)7, .shared = true};
	assert_int_equal(chan_new(&options, &channel), -EINVAL);
	/* Items of no bytes: only their number counts. */
	options = (struct chan_options){.capacity = 2, .shared = true};
	assert_int_equal(chan_new(&options, &channel), 0);
	assert_int_equal(chan_try_send(channel, NULL), 0);
	assert_int_equal(chan_try_send(channel, NULL), 0);
	assert_int_equal(chan_try_send(channel, NULL), -EAGAIN);
	assert_int_equal(chan_try_recv(channel, NULL), 0);
	chan_unref(channel);
}

/*
 * Storm: on every worker tasks send numbers of their own and tasks receive. A
 * third of the calls runs in a task that is cancelled after a moment, which is
 * often just when the hand-off comes, a third has a deadline. What senders
 * count as sent must be what receivers get: number by number, once.
 */
#define STORM_TASKS 2 /* of each side on each worker */
#define STORM_ITEMS 1500 /* of each sender */

struct storm {
	struct chan *channel;
	_Atomic unsigned started;
	_Atomic unsigned senders;
	_Atomic unsigned receivers;
	_Atomic unsigned stopped;
	_Atomic unsigned late; /* cancelled, and yet served */
	_Atomic uint8_t seen[WORKERS * STORM_TASKS * STORM_ITEMS];
	struct event done;
	uint64_t seed;
};

static int
storm_cancelled_call(
    struct storm *storm, struct call *call, struct random *random)
{
	uint64_t yields = random_scale(random_next(random), 4);
	struct scope scope;
	bool ended;

	scope_init(&scope, instant_never());
	start(&scope, call);
	while (yields-- > 0)
		assert_int_equal(task_yield(), 0);
	ended = call->ended;
	scope_fini(&scope);
	storm->late += !ended && call->result == 0;
	return call->result;
}

/* One send or receive in one of the ways. */
static int
storm_call(struct storm *storm, bool send, int *item, struct random *random)
{
	struct call call = {.channel = storm->channel,
	    .send = send,
	    .item = *item,
	    .deadline = instant_never()};
	int result;

	switch (random_scale(random_next(random), 3)) {
	case 0:
		call.deadline = instant_after(clock_now(), duration_us(300));
		/* fall through */
	case 1:
		call_run(&call);
		result = call.result;
		break;
	default:
		result = storm_cancelled_call(storm, &call, random);
	}
	*item = call.item;
	assert_true(result == 0 || result == -ETIMEDOUT ||
	    result == -ECANCELED || result == -EPIPE);
	storm->stopped += result == -ETIMEDOUT || result == -ECANCELED;
	return result;
}

static int
storm_send(void *arg)
{
	struct storm *storm = arg;
	int first = (int)(storm->started++) * STORM_ITEMS;
	struct random random;

	random_seed(&random, storm->seed + (uint64_t)first);
	for (int i = first; i < first + STORM_ITEMS;) {
		int result = storm_call(storm, true, &i, &random);

		assert_int_not_equal(result, -EPIPE);
		if (result == 0)
			i++;
	}
	if (--storm->senders == 0)
		chan_close(storm->channel);
	return 0;
}

static int
storm_recv(void *arg)
{
	struct storm *storm = arg;
	struct random random;
	int item = 0, result;

	random_seed(&random, storm->seed + (uintptr_t)&item);
	while ((result = storm_call(storm, false, &item, &random)) != -EPIPE) {
		if (result == 0)
			storm->seen[item]++;
	}
	if (--storm->receivers == 0)
		event_set(&storm->done);
	return 0;
}

static int
root_storm(void *arg)
{
	struct storm *storm = arg;

	event_init(&storm->done);
	for (unsigned i = 0; i < WORKERS * STORM_TASKS; i++) {
		assert_int_equal(
		    worker_start_on(i % WORKERS, "sender", storm_send, storm),
		    0);
		assert_int_equal(
		    worker_start_on(i % WORKERS, "receiver", storm_recv, storm),
		    0);
	}
	return event_wait(&storm->done, instant_never());
}

static void
storm_run(uint32_t capacity)
{
	static struct storm storm;

	memset(&storm, 0, sizeof(storm));
	storm.seed = (uint64_t)clock_now().ns;
	storm.senders = storm.receivers = WORKERS * STORM_TASKS;
	storm.channel = make(capacity, CHAN_WAIT, true);
	print_message("seed %llu\n", (unsigned long long)storm.seed);
	assert_int_equal(runtime_run(&some_workers, root_storm, &storm), 0);
	for (size_t i = 0; i < array_count(storm.seen); i++)
		assert_int_equal(storm.seen[i], 1);
	print_message("%u stopped, %u late\n", storm.stopped, storm.late);
	assert_true(storm.stopped > 0);
	chan_unref(storm.channel);
}

static void
test_storm_meet(void **state)
{
	storm_run(0);
}

static void
test_storm_buffer(void **state)
{
	storm_run(5);
}

/* A thread that is no worker feeds a task and hears from it. */
struct outside {
	struct chan *in;
	struct chan *out;
	int sum;
};

static void *
outside_thread(void *arg)
{
	struct outside *outside = arg;
	int result;

	for (int i = 1; i <= 1000; i++) {
		while ((result = chan_try_send(outside->in, &i)) == -EAGAIN)
			usleep(50);
		if (result < 0)
			abort();
	}
	chan_close(outside->in);
	while (chan_try_recv(outside->out, &outside->sum) == -EAGAIN)
		usleep(50);
	return NULL;
}

static int
root_outside(void *arg)
{
	struct outside *outside = arg;
	int item, sum = 0;
	pthread_t thread;

	assert_int_equal(
	    pthread_create(&thread, NULL, outside_thread, outside), 0);
	while (chan_recv(outside->in, &item, instant_never()) == 0)
		sum += item;
	assert_int_equal(chan_send(outside->out, &sum, instant_never()), 0);
	pthread_join(thread, NULL);
	return 0;
}

static void
test_outside(void **state)
{
	struct outside outside = {
	    .in = make(8, CHAN_WAIT, true), .out = make(1, CHAN_WAIT, true)};

	assert_int_equal(runtime_run(&one_worker, root_outside, &outside), 0);
	assert_int_equal(outside.sum, 500500);
	chan_unref(outside.in);
	chan_unref(outside.out);
}

/* What a user reads on stderr who makes a mistake. */
static void
misuse(void (*mistake)(void), const char *said)
{
	char text[4096] = "";
	size_t length = 0;
	ssize_t got;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		mistake();
		_exit(0);
	}
	close(ends[1]);
	while (
	    (got = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	if (strstr(text, said) == NULL)
		fail_msg("said: %s", text);
}

static int
root_free_waited(void *arg)
{
	struct chan *channel = make(0, CHAN_WAIT, false);
	struct call call = {.channel = channel};

	start(NULL, &call);
	chan_unref(channel);
	return 0;
}

static void
mistake_free(void)
{
	(void)runtime_run(&one_worker, root_free_waited, NULL);
}

static struct chan *foreign;

static int
foreign_send(void *arg)
{
	return chan_try_send(foreign, &(int){1});
}

static int
root_foreign(void *arg)
{
	foreign = make(1, CHAN_WAIT, false);
	assert_int_equal(worker_start_on(1, "foreign", foreign_send, NULL), 0);
	return task_sleep(duration_s(10));
}

static void
mistake_foreign(void)
{
	(void)runtime_run(&some_workers, root_foreign, NULL);
}

static void
mistake_outside(void)
{
	struct chan *channel = make(1, CHAN_WAIT, true);

	(void)!chan_send(channel, &(int){1}, instant_never());
}

static void
test_misuse(void **state)
{
	misuse(mistake_free, "freed while a task waits on it");
	misuse(mistake_foreign, "make it shared");
	misuse(mistake_outside,
	    "weir_channel_send() may wait and is called outside a task");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_meet),
	    cmocka_unit_test(test_overflow),
	    cmocka_unit_test(test_close),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_greedy),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_storm_meet),
	    cmocka_unit_test(test_storm_buffer),
	    cmocka_unit_test(test_outside),
	    cmocka_unit_test(test_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
