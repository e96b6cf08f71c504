/*
 * lock_order.c - a graph of lock classes, and the circles in it
 */
#include "runtime/lock_order.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/report.h"
#include "runtime/sync_core.h"

#define LOCK_CLASS_NONE UINT32_MAX /* no room in the table */
#define LOCK_BITS       64

#ifdef WEIR_SLOW_CHECKS
_Atomic bool lock_order_on = true;
#else
_Atomic bool lock_order_on;
#endif

/* The first time that @after was taken while @before was held. */
struct lock_pair {
	uint32_t before, after;
	const char *before_file, *after_file;
	int before_line, after_line;
};

static struct {
	_Alignas(64) _Atomic uint32_t busy;
	uint32_t class_count;
	uint32_t pair_count;
	/* Class n is [n - 1]; of the lock only what names it. */
	struct sync classes[LOCK_CLASSES_MAX];
	struct lock_pair pairs[LOCK_PAIRS_MAX];
	_Atomic uint64_t after[LOCK_CLASSES_MAX][LOCK_CLASSES_MAX / LOCK_BITS];
	/* Of the last search: by which class each was reached. */
	uint32_t reached_by[LOCK_CLASSES_MAX + 1];
	uint32_t queue[LOCK_CLASSES_MAX];
} order;

void
deadlock_watch_order(bool on)
{
	atomic_store(&lock_order_on, on);
}

void
lock_order_configure(void)
{
	const char *wish = getenv("WEIR_LOCK_ORDER");

	if (wish != NULL)
		deadlock_watch_order(strcmp(wish, "0") != 0);
}

static bool
order_same_class(const struct sync *a, const struct sync *b)
{
	if (a->kind != b->kind || (a->name == NULL) != (b->name == NULL))
		return false;
	if (a->name != NULL)
		return strcmp(a->name, b->name) == 0;
	return a->line == b->line && strcmp(a->file, b->file) == 0;
}

static uint32_t
order_find_class(const struct sync *sync)
{
	struct sync *class;

	for (uint32_t i = 0; i < order.class_count; i++) {
		if (order_same_class(&order.classes[i], sync))
			return i + 1;
	}
	if (order.class_count == LOCK_CLASSES_MAX)
		return LOCK_CLASS_NONE;
	class = &order.classes[order.class_count++];
	class->name = sync->name;
	class->file = sync->file;
	class->line = sync->line;
	class->kind = sync->kind;
	return order.class_count;
}

/* It is looked up once per lock. */
static uint32_t
order_class(struct sync *sync)
{
	uint32_t class =
	    atomic_load_explicit(&sync->class, memory_order_relaxed);

	if (likely(class != 0))
		return class;
	sync_busy_enter(&order.busy);
	class = order_find_class(sync);
	sync_busy_leave(&order.busy);
	atomic_store_explicit(&sync->class, class, memory_order_relaxed);
	return class;
}

static bool
order_known(uint32_t before, uint32_t after)
{
	uint64_t bits = atomic_load_explicit(
	    &order.after[before - 1][(after - 1) / LOCK_BITS],
	    memory_order_relaxed);

	return (bits >> (after - 1) % LOCK_BITS & 1) != 0;
}

/* Whether what was seen leads from @from to @to; breadth first. */
static bool
order_reaches(uint32_t from, uint32_t to)
{
	uint32_t head = 0, tail = 0;

	memset(order.reached_by, 0, sizeof(order.reached_by));
	order.queue[tail++] = from;
	order.reached_by[from] = from;
	while (head < tail) {
		uint32_t at = order.queue[head++];

		if (at == to)
			return true;
		for (uint32_t i = 1; i <= order.class_count; i++) {
			if (order.reached_by[i] != 0 || !order_known(at, i))
				continue;
			order.reached_by[i] = at;
			order.queue[tail++] = i;
		}
	}
	return false;
}

static const struct lock_pair *
order_find_pair(uint32_t before, uint32_t after)
{
	for (uint32_t i = 0; i < order.pair_count; i++) {
		if (order.pairs[i].before == before &&
		    order.pairs[i].after == after)
			return &order.pairs[i];
	}
	return NULL;
}

static void
order_report_pair(struct report *report, uint32_t before, uint32_t after)
{
	const struct lock_pair *pair = order_find_pair(before, after);

	report_add(report, "  ");
	report_sync(report, &order.classes[after - 1]);
	if (pair != NULL) {
		report_add(report, " was taken at ");
		report_site(report, pair->after_file, pair->after_line);
	}
	report_add(report, "\n    while ");
	report_sync(report, &order.classes[before - 1]);
	report_add(report, " was held");
	if (pair != NULL) {
		report_add(report, ", taken at ");
		report_site(report, pair->before_file, pair->before_line);
	}
	report_add(report, "\n");
}

/* After order_reaches(@after, @before); leaves. */
static COLD void
order_report(uint32_t before, uint32_t after)
{
	struct report report;

	report_init(&report, DEADLOCK_ORDER);
	report_add(&report,
	    "weir: lock order: these were taken in a circle and could "
	    "deadlock; now by ");
	report_task(&report, task_self());
	report_add(&report, "\n");
	order_report_pair(&report, before, after);
	for (uint32_t at = before; at != after; at = order.reached_by[at])
		order_report_pair(&report, order.reached_by[at], at);
	sync_busy_leave(&order.busy);
	report_send(&report);
}

static void
order_add_pair(const struct lock_hold *before, const struct lock_hold *after,
    uint32_t from, uint32_t to)
{
	atomic_fetch_or_explicit(&order.after[from - 1][(to - 1) / LOCK_BITS],
	    UINT64_C(1) << (to - 1) % LOCK_BITS, memory_order_relaxed);
	if (order.pair_count == LOCK_PAIRS_MAX)
		return;
	order.pairs[order.pair_count++] = (struct lock_pair){.before = from,
	    .after = to,
	    .before_file = before->file,
	    .before_line = before->line,
	    .after_file = after->file,
	    .after_line = after->line};
}

static void
order_learn(const struct lock_hold *before, const struct lock_hold *after,
    uint32_t from, uint32_t to)
{
	sync_busy_enter(&order.busy);
	if (order_known(from, to)) {
		sync_busy_leave(&order.busy);
		return;
	}
	order_add_pair(before, after, from, to);
	if (order_reaches(to, from))
		order_report(from, to);
	else
		sync_busy_leave(&order.busy);
}

void
lock_order_look(struct lock_hold *hold)
{
	uint32_t to;

	if (hold->next == NULL)
		return;
	to = order_class(hold->sync);
	if (to == LOCK_CLASS_NONE)
		return;
	for (struct lock_hold *h = hold->next; h != NULL; h = h->next) {
		uint32_t from = order_class(h->sync);

		if (from != to && from != LOCK_CLASS_NONE &&
		    !order_known(from, to))
			order_learn(h, hold, from, to);
	}
}
