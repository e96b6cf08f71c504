/*
 * shared.c - the mapping, the slots and the verdicts
 *
 * Text in the table is read and written word by word with atomic accesses:
 * several processes hold it, and a reader must be able to look while a writer
 * works. Release on each store and acquire on each load stand in for fences:
 * who has seen a word of a newer note also sees that the sequence moved.
 */
#include "net/shared.h"

#include <errno.h>

#include "os/memory.h"
#include "os/random.h"

#define SHARED_MAGIC 0x77656972u /* "weir" */

struct shared *shared;

_Static_assert(sizeof(struct verdict_note) % 8 == 0, "copied by words");
_Static_assert(offsetof(struct verdict, notes) % 8 == 0, "copied by words");
_Static_assert(SHARED_KEY_BYTES % 8 == 0, "copied by words");
_Static_assert(sizeof(struct shared) <= UINT32_MAX, "shared.bytes");
_Static_assert(SHARED_SERVERS_MAX <= INT32_MAX, "slots are ints");

/* ---- the mapping ---- */

static void
shared_init(struct shared *memory)
{
	random_fill(&memory->hash_key, sizeof(memory->hash_key));
	memory->bytes = sizeof(*memory);
	memory->magic = SHARED_MAGIC;
}

int
shared_create(void)
{
	int fd = memory_file_create("weir-shared", sizeof(struct shared));
	void *memory;
	int r;

	if (fd < 0)
		return fd;
	r = memory_map(fd, sizeof(struct shared), &memory);
	if (r < 0) {
		memory_file_close(fd);
		return r;
	}
	shared_init(memory);
	memory_unmap(memory, sizeof(struct shared));
	return fd;
}

int
shared_map(int fd)
{
	int64_t bytes = memory_file_bytes(fd);
	struct shared *mapped;
	void *memory;
	int r;

	if (bytes < 0)
		return (int)bytes;
	if (bytes != sizeof(struct shared))
		return -EINVAL;
	r = memory_map(fd, sizeof(struct shared), &memory);
	if (r < 0)
		return r;
	mapped = memory;
	if (mapped->magic != SHARED_MAGIC ||
	    mapped->bytes != sizeof(struct shared)) {
		memory_unmap(memory, sizeof(struct shared));
		return -EINVAL;
	}
	shared = mapped;
	return 0;
}

int
shared_map_private(void)
{
	void *memory;
	int r = memory_map(-1, sizeof(struct shared), &memory);

	if (r < 0)
		return r;
	shared_init(memory);
	shared = memory;
	return 0;
}

/* ---- text in shared memory ---- */

static void
words_store(void *to, const void *from, size_t bytes)
{
	uint64_t *words = to;
	uint64_t word;

	for (size_t i = 0; i < bytes / sizeof(word); i++) {
		memcpy(
		    &word, (const char *)from + i * sizeof(word), sizeof(word));
		__atomic_store_n(&words[i], word, __ATOMIC_RELEASE);
	}
}

static void
words_load(void *to, const void *from, size_t bytes)
{
	const uint64_t *words = from;
	uint64_t word;

	for (size_t i = 0; i < bytes / sizeof(word); i++) {
		word = __atomic_load_n(&words[i], __ATOMIC_ACQUIRE);
		memcpy((char *)to + i * sizeof(word), &word, sizeof(word));
	}
}

/* ---- slots ---- */

static struct verdict *
verdict_at(int slot)
{
	must(slot >= 0 && slot < SHARED_SERVERS_MAX);
	return &shared->verdicts[slot];
}

struct verdict_key {
	char text[SHARED_KEY_BYTES] __attribute__((aligned(8)));
};

/* Zero behind the text, so that keys compare as a whole. */
static int
verdict_key_make(
    struct verdict_key *key, struct bytes pool, struct bytes server)
{
	struct appender text = appender_over(key->text, sizeof(key->text) - 1);

	memset(key, 0, sizeof(*key));
	append_bytes(&text, pool);
	append_char(&text, '/');
	append_bytes(&text, server);
	return text.overflowed ? -ENAMETOOLONG : 0;
}

/* Most keys differ early: a search looks at a word or two of each. */
static bool
verdict_has_key(const struct verdict *v, const struct verdict_key *key)
{
	const uint64_t *words = (const uint64_t *)v->key;
	uint64_t word;

	if (atomic_load_explicit(&v->used, memory_order_acquire) == 0)
		return false;
	for (size_t i = 0; i < SHARED_KEY_BYTES / sizeof(word); i++) {
		memcpy(&word, key->text + i * sizeof(word), sizeof(word));
		if (__atomic_load_n(&words[i], __ATOMIC_ACQUIRE) != word)
			return false;
		/* The key ends here, and so do both. */
		if (key->text[(i + 1) * sizeof(word) - 1] == '\0')
			return true;
	}
	return false;
}

static int
verdict_find_key(const struct verdict_key *key)
{
	uint32_t count =
	    atomic_load_explicit(&shared->verdict_count, memory_order_acquire);

	for (uint32_t i = 0; i < count; i++) {
		if (verdict_has_key(&shared->verdicts[i], key))
			return (int)i;
	}
	return -ENOENT;
}

int
verdict_find(struct bytes pool, struct bytes server)
{
	struct verdict_key key;

	if (verdict_key_make(&key, pool, server) < 0)
		return -ENOENT;
	return verdict_find_key(&key);
}

bool
verdict_is(int slot, struct bytes pool, struct bytes server)
{
	struct verdict_key key;

	return verdict_key_make(&key, pool, server) == 0 &&
	    verdict_has_key(verdict_at(slot), &key);
}

/* The first free slot behind the one claimed last; with @idle none
 * that requests of a released server still count in. */
static int
verdict_free_slot(bool idle)
{
	for (uint32_t i = 0; i < SHARED_SERVERS_MAX; i++) {
		uint32_t slot =
		    (shared->verdict_claim_next + i) % SHARED_SERVERS_MAX;
		struct verdict *v = &shared->verdicts[slot];

		if (atomic_load(&v->used) == 0 &&
		    (!idle || atomic_load(&v->in_flight) == 0))
			return (int)slot;
	}
	return -ENOSPC;
}

static void
verdict_note_publish(
    struct verdict *v, enum health_state state, const char *reason, int64_t ns)
{
	uint32_t next =
	    atomic_load_explicit(&v->sequence, memory_order_relaxed) + 1;
	struct verdict_note note = {.since_ns = ns, .state = state};

	memcpy(note.reason, reason, strnlen(reason, sizeof(note.reason) - 1));
	words_store(&v->notes[next % 2], &note, sizeof(note));
	atomic_store_explicit(&v->since_ns, ns, memory_order_release);
	atomic_store_explicit(&v->state, state, memory_order_release);
	atomic_store_explicit(&v->sequence, next, memory_order_release);
}

int
verdict_claim(struct bytes pool, struct bytes server)
{
	struct verdict_key key;
	struct verdict *v;
	int slot, r;

	r = verdict_key_make(&key, pool, server);
	if (r < 0)
		return r;
	slot = verdict_find_key(&key);
	if (slot >= 0)
		return slot;
	slot = verdict_free_slot(true);
	if (slot < 0)
		slot = verdict_free_slot(false);
	if (slot < 0)
		return slot;
	v = verdict_at(slot);
	words_store(v->key, &key, sizeof(key));
	atomic_store(&v->admin, ADMIN_READY);
	atomic_store(&v->weight, UINT32_MAX);
	verdict_note_publish(v, HEALTH_UNKNOWN, "not checked yet", 0);
	atomic_store(&v->checks, 0);
	atomic_store(&v->check_failures, 0);
	atomic_store(&v->in_flight, 0);
	verdict_success(slot);
	shared->verdict_claim_next = (uint32_t)slot + 1;
	if ((uint32_t)slot >= atomic_load(&shared->verdict_count))
		atomic_store(&shared->verdict_count, (uint32_t)slot + 1);
	atomic_store_explicit(&v->used, 1, memory_order_release);
	return slot;
}

void
verdict_release(int slot)
{
	atomic_store_explicit(&verdict_at(slot)->used, 0, memory_order_release);
}

/* ---- what is known of a server ---- */

void
verdict_publish(
    int slot, enum health_state state, const char *reason, instant now)
{
	struct verdict *v = verdict_at(slot);
	int64_t since_ns =
	    atomic_load_explicit(&v->since_ns, memory_order_relaxed);

	if (atomic_load_explicit(&v->state, memory_order_relaxed) != state)
		since_ns = now.ns;
	verdict_note_publish(v, state, reason, since_ns);
}

void
verdict_read(int slot, instant now, struct verdict_view *ret_view)
{
	struct verdict *v = verdict_at(slot);
	struct verdict_note note;
	uint32_t before, after;
	int64_t ejected_until_ns;

	after = atomic_load_explicit(&v->sequence, memory_order_acquire);
	do {
		before = after;
		words_load(&note, &v->notes[before % 2], sizeof(note));
		after =
		    atomic_load_explicit(&v->sequence, memory_order_acquire);
	} while (after != before);
	ejected_until_ns =
	    atomic_load_explicit(&v->ejected_until_ns, memory_order_relaxed);
	*ret_view = (struct verdict_view){
	    .state = (enum health_state)note.state,
	    .admin = (enum verdict_admin)atomic_load_explicit(
		&v->admin, memory_order_relaxed),
	    .since = {note.since_ns},
	    .ejected = now.ns < ejected_until_ns,
	    .in_flight =
		atomic_load_explicit(&v->in_flight, memory_order_relaxed),
	};
	memcpy(ret_view->reason, note.reason, sizeof(note.reason));
	ret_view->reason[sizeof(note.reason) - 1] = '\0';
}

/* But for ejections. */
static bool
verdict_state_usable(const struct verdict *v, bool checked)
{
	uint32_t state = atomic_load_explicit(&v->state, memory_order_relaxed);

	return atomic_load_explicit(&v->admin, memory_order_relaxed) ==
	    ADMIN_READY &&
	    (state == HEALTH_UP || (!checked && state == HEALTH_UNKNOWN));
}

bool
verdict_triable(int slot, bool checked, instant now)
{
	struct verdict *v = verdict_at(slot);

	return verdict_state_usable(v, checked) &&
	    now.ns >=
	    atomic_load_explicit(&v->trial_until_ns, memory_order_relaxed);
}

bool
verdict_usable(int slot, bool checked, instant now)
{
	struct verdict *v = verdict_at(slot);
	int64_t ejected_until_ns;

	if (!verdict_state_usable(v, checked))
		return false;
	ejected_until_ns =
	    atomic_load_explicit(&v->ejected_until_ns, memory_order_relaxed);
	return likely(ejected_until_ns == 0) ||
	    (now.ns >= ejected_until_ns &&
		now.ns >= atomic_load_explicit(
			      &v->trial_until_ns, memory_order_relaxed));
}

bool
verdict_try(int slot, instant now)
{
	struct verdict *v = verdict_at(slot);
	int64_t until_ns;

	if (likely(atomic_load_explicit(
		       &v->ejected_until_ns, memory_order_relaxed) == 0))
		return true;
	until_ns =
	    atomic_load_explicit(&v->trial_until_ns, memory_order_relaxed);
	return now.ns >= until_ns &&
	    atomic_compare_exchange_strong_explicit(&v->trial_until_ns,
		&until_ns, instant_after(now, VERDICT_TRIAL).ns,
		memory_order_relaxed, memory_order_relaxed);
}

/* Every good request comes by here: the line is shared, so it is written
 * only when there is something to forget. */
void
verdict_success(int slot)
{
	struct verdict *v = verdict_at(slot);

	if (unlikely(atomic_load_explicit(
			 &v->failures_in_row, memory_order_relaxed) != 0))
		atomic_store_explicit(
		    &v->failures_in_row, 0, memory_order_relaxed);
	if (unlikely(atomic_load_explicit(
			 &v->ejected_until_ns, memory_order_relaxed) != 0)) {
		atomic_store_explicit(
		    &v->ejections_in_row, 0, memory_order_relaxed);
		atomic_store_explicit(
		    &v->trial_until_ns, 0, memory_order_relaxed);
		atomic_store_explicit(
		    &v->ejected_until_ns, 0, memory_order_relaxed);
	}
}

bool
verdict_failure(int slot, const struct ejection *ejection, instant now)
{
	struct verdict *v = verdict_at(slot);
	int64_t until_ns;
	uint32_t count;

	if (ejection->failures_max == 0)
		return false;
	count = atomic_fetch_add_explicit(
		    &v->failures_in_row, 1, memory_order_relaxed) +
	    1;
	until_ns =
	    atomic_load_explicit(&v->ejected_until_ns, memory_order_relaxed);
	/* Late failures of requests that were under way say nothing new. */
	if (count < ejection->failures_max || now.ns < until_ns)
		return false;
	count =
	    atomic_load_explicit(&v->ejections_in_row, memory_order_relaxed) +
	    1;
	if (!atomic_compare_exchange_strong_explicit(&v->ejected_until_ns,
		&until_ns,
		instant_after(now, ejection_hold(ejection, count)).ns,
		memory_order_relaxed, memory_order_relaxed))
		return false;
	atomic_store_explicit(
	    &v->ejections_in_row, count, memory_order_relaxed);
	atomic_store_explicit(&v->trial_until_ns, 0, memory_order_relaxed);
	return true;
}
