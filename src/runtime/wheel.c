#include "runtime/wheel.h"

#include "runtime/worker.h"

/* The tick at whose start @when has passed: rounding up is what keeps a timer
 * from firing early. */
static uint64_t
wheel_tick_after(const struct wheel *wheel, instant when)
{
	int64_t ns = instant_since(when, wheel->base).ns;

	if (ns <= 0)
		return 0;
	return ((uint64_t)ns + (WHEEL_TICK_NS - 1)) / WHEEL_TICK_NS;
}

static uint64_t
wheel_tick_before(const struct wheel *wheel, instant now)
{
	int64_t ns = instant_since(now, wheel->base).ns;

	return ns <= 0 ? 0 : (uint64_t)ns / WHEEL_TICK_NS;
}

void
wheel_init(struct wheel *wheel, instant now)
{
	wheel->base = now;
	wheel->now_tick = 0;
	list_init(&wheel->due);
	list_init(&wheel->far);
	for (unsigned i = 0; i < array_count(wheel->slots); i++)
		list_init(&wheel->slots[i]);
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		wheel->occupied[level] = 0;
}

static void
wheel_place(struct wheel *wheel, struct timer *timer)
{
	uint64_t tick = wheel_tick_after(wheel, timer->when);
	unsigned level, slot;

	if (tick <= wheel->now_tick) {
		list_push_back(&wheel->due, &timer->node);
		return;
	}
	level = (63u - (unsigned)__builtin_clzll(tick ^ wheel->now_tick)) /
	    WHEEL_BITS;
	if (level >= WHEEL_LEVELS) {
		list_push_back(&wheel->far, &timer->node);
		return;
	}
	slot = (tick >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
	wheel->occupied[level] |= UINT64_C(1) << slot;
	list_push_back(&wheel->slots[level * WHEEL_SLOTS + slot], &timer->node);
}

void
wheel_start(struct wheel *wheel, struct timer *timer, instant when)
{
	if (timer_armed(timer))
		wheel_stop(wheel, timer);
	timer->when = when;
	wheel_place(wheel, timer);
}

/* A slot that became empty must not wake the worker. The head is the only
 * node left then, and its address says which slot it is. */
void
wheel_stop(struct wheel *wheel, struct timer *timer)
{
	struct list *left = timer->node.next;
	size_t slot;

	list_remove(&timer->node);
	if (!list_empty(left) || left < wheel->slots ||
	    left >= wheel->slots + array_count(wheel->slots))
		return;
	slot = (size_t)(left - wheel->slots);
	wheel->occupied[slot / WHEEL_SLOTS] &=
	    ~(UINT64_C(1) << (slot % WHEEL_SLOTS));
}

/* The tick of the next slot to look at, UINT64_MAX if there is none; its level
 * in *@ret_level, WHEEL_LEVELS for the far list. */
static uint64_t
wheel_next_tick(const struct wheel *wheel, unsigned *ret_level)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		unsigned shift = level * WHEEL_BITS;
		uint64_t upper = wheel->now_tick >> (shift + WHEEL_BITS)
			<< (shift + WHEEL_BITS);

		if (wheel->occupied[level] == 0)
			continue;
		*ret_level = level;
		return upper |
		    (uint64_t)__builtin_ctzll(wheel->occupied[level]) << shift;
	}
	*ret_level = WHEEL_LEVELS;
	if (list_empty(&wheel->far))
		return UINT64_MAX;
	return ((wheel->now_tick >> (WHEEL_LEVELS * WHEEL_BITS)) + 1)
	    << (WHEEL_LEVELS * WHEEL_BITS);
}

instant
wheel_next(const struct wheel *wheel)
{
	unsigned level;
	uint64_t tick;

	if (!list_empty(&wheel->due))
		return instant_past();
	tick = wheel_next_tick(wheel, &level);
	if (tick > INT64_MAX / WHEEL_TICK_NS)
		return instant_never();
	return instant_after(
	    wheel->base, duration_ns((int64_t)tick * WHEEL_TICK_NS));
}

static void
list_move_all(struct list *from, struct list *to)
{
	list_init(to);
	if (list_empty(from))
		return;
	*to = *from;
	to->next->prev = to;
	to->prev->next = to;
	list_init(from);
}

/* Now is the start of a slot: its timers are due or go to lower levels. */
static void
wheel_cascade(struct wheel *wheel, unsigned level, uint64_t tick)
{
	struct list moved;
	struct list *node;
	unsigned slot;

	wheel->now_tick = tick;
	if (level == WHEEL_LEVELS) {
		list_move_all(&wheel->far, &moved);
	} else {
		slot = (tick >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
		wheel->occupied[level] &= ~(UINT64_C(1) << slot);
		list_move_all(
		    &wheel->slots[level * WHEEL_SLOTS + slot], &moved);
	}
	while ((node = list_pop_front(&moved)) != NULL)
		wheel_place(wheel, container_of(node, struct timer, node));
}

void
wheel_run(struct wheel *wheel, instant now)
{
	uint64_t until = wheel_tick_before(wheel, now);
	struct list due;
	struct list *node;
	unsigned level;
	uint64_t tick;

	while ((tick = wheel_next_tick(wheel, &level)) <= until)
		wheel_cascade(wheel, level, tick);
	if (until > wheel->now_tick)
		wheel->now_tick = until;
	list_move_all(&wheel->due, &due);
	while ((node = list_pop_front(&due)) != NULL) {
		struct timer *timer = container_of(node, struct timer, node);

		timer->fire(timer);
	}
}

void
timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
	list_init(&timer->node);
	timer->when = instant_never();
	timer->fire = fire;
}

void
timer_start(struct timer *timer, instant when)
{
	wheel_start(&worker_here->wheel, timer, when);
}

void
timer_stop(struct timer *timer)
{
	if (timer_armed(timer))
		wheel_stop(&worker_here->wheel, timer);
}
