/*
 * sim_tasks.c - channels, locks, scopes and timers in every order
 */
#include "runtime/chan.h"
#include "runtime/lock.h"
#include "runtime/sync.h"
#include "sim_case.h"

#define PRODUCERS_MAX 5
#define CONSUMERS_MAX 5
#define ITEMS_MAX     200

static struct work {
	struct chan *chan;
	struct mutex mutex;
	struct semaphore semaphore;
	int holders; /* of the mutex */
	int inside; /* of the semaphore */
	int inside_max;
	int next_item;
	uint8_t sent[ITEMS_MAX * PRODUCERS_MAX];
	uint8_t got[ITEMS_MAX * PRODUCERS_MAX];
	unsigned started;
	unsigned ended;
} work;

static int
pause_some(void)
{
	switch (sim_random(4)) {
	case 0:
		return task_yield();
	case 1:
		return task_sleep(duration_us(between(1, 3000)));
	default:
		return 0;
	}
}

static instant
some_deadline(void)
{
	return one_in(3) ? in_ms(between(0, 20)) : instant_never();
}

static int
producer(void *arg)
{
	int count = between(1, ITEMS_MAX), r = 0;

	(void)arg;
	work.started++;
	for (int i = 0; i < count && r != -ECANCELED; i++) {
		int item = work.next_item++;

		r = chan_send(work.chan, &item, some_deadline());
		expect(r == 0 || r == -ETIMEDOUT || r == -ECANCELED, "send: %d",
		    r);
		work.sent[item] = r == 0;
		if (r == 0)
			r = pause_some();
	}
	work.ended++;
	return 0;
}

static int
consumer(void *arg)
{
	int item, r;

	(void)arg;
	work.started++;
	do {
		r = chan_recv(work.chan, &item, some_deadline());
		if (r == 0) {
			expect(work.got[item] == 0, "item %d twice", item);
			work.got[item] = 1;
			if (pause_some() < 0)
				break;
		}
	} while (r == 0 || r == -ETIMEDOUT);
	work.ended++;
	return 0;
}

/* One at a time, whatever suspends inside. */
static int
locker(void *arg)
{
	int rounds = between(1, 30);

	(void)arg;
	work.started++;
	for (int i = 0; i < rounds; i++) {
		int r = mutex_lock(&work.mutex, some_deadline());

		if (r == -ECANCELED)
			break;
		if (r < 0)
			continue;
		expect(work.holders == 0, "%d hold the mutex", work.holders);
		work.holders++;
		(void)pause_some();
		work.holders--;
		must(mutex_unlock(&work.mutex) == 0);
	}
	work.ended++;
	return 0;
}

static int
entrant(void *arg)
{
	int rounds = between(1, 30);

	(void)arg;
	work.started++;
	for (int i = 0; i < rounds; i++) {
		int r = semaphore_take(&work.semaphore, 1, some_deadline());

		if (r == -ECANCELED)
			break;
		if (r < 0)
			continue;
		work.inside++;
		expect(work.inside <= work.inside_max, "%d inside, not %d",
		    work.inside, work.inside_max);
		(void)pause_some();
		work.inside--;
		must(semaphore_give(&work.semaphore, 1) == 0);
	}
	work.ended++;
	return 0;
}

/* A timer is never early, whatever the faults. */
static int
sleeper(void *arg)
{
	(void)arg;
	work.started++;
	for (int i = 0; i < 10; i++) {
		duration d = duration_us(between(0, 50000));
		instant before = clock_now();
		int r = task_sleep(d);

		if (r < 0)
			break;
		expect(instant_since(clock_now(), before).ns >= d.ns,
		    "slept %lld of %lld ns",
		    (long long)instant_since(clock_now(), before).ns,
		    (long long)d.ns);
	}
	work.ended++;
	return 0;
}

static unsigned
crowd(struct scope *scope, const char *name, task_fn fn, int count)
{
	unsigned started = 0;

	for (int i = 0; i < count; i++)
		started += task_start(scope, name, fn, NULL) == 0;
	return started;
}

static int
work_pass(bool stopped)
{
	struct chan_options options = {.item_bytes = sizeof(int),
	    .capacity = (uint32_t)between(0, 10),
	    .shared = one_in(2)};
	struct scope senders, others;
	unsigned consumers;
	int item;

	memset(&work, 0, sizeof(work));
	if (chan_new(&options, &work.chan) < 0)
		return 0;
	mutex_init(&work.mutex, "sim");
	work.inside_max = between(1, 4);
	semaphore_init(&work.semaphore, "sim", (uint64_t)work.inside_max);
	scope_init(&others, instant_never());
	scope_init(
	    &senders, stopped ? in_ms(between(0, 100)) : instant_never());
	(void)crowd(&others, "locker", locker, between(0, 6));
	(void)crowd(&others, "entrant", entrant, between(0, 6));
	(void)crowd(&others, "sleeper", sleeper, between(0, 3));
	consumers =
	    crowd(&others, "consumer", consumer, between(1, CONSUMERS_MAX));
	if (consumers > 0)
		(void)crowd(
		    &senders, "producer", producer, between(1, PRODUCERS_MAX));
	(void)scope_wait(&senders);
	scope_fini(&senders);
	chan_close(work.chan);
	if (stopped && one_in(2))
		scope_cancel(&others, 0);
	(void)scope_wait(&others);
	scope_fini(&others);
	/* What nobody received is still in it. */
	while (chan_try_recv(work.chan, &item) == 0)
		work.got[item]++;
	for (int i = 0; i < work.next_item; i++)
		expect(work.got[i] == work.sent[i], "item %d: sent %d, got %d",
		    i, work.sent[i], work.got[i]);
	chan_unref(work.chan);
	must(mutex_fini(&work.mutex) == 0);
	must(semaphore_fini(&work.semaphore) == 0);
	expect(work.started == work.ended, "%u tasks started, %u ended",
	    work.started, work.ended);
	return 0;
}

static int
work_root(void *arg)
{
	(void)arg;
	for (int pass = 0; pass < 3; pass++)
		work_pass(pass > 0 && one_in(2));
	return 0;
}

const struct sim_case sim_case_tasks = {.name = "tasks", .root = work_root};
