/*
 * resolve_cache.c - entries, and the task that asks for one
 *
 * The task belongs to nobody who waits: they may be stopped, the answer is
 * kept. It holds a reference of its own to the entry until it has ended.
 */
#include "net/resolve_cache.h"

#include <errno.h>
#include <stdlib.h>

#include "net/resolve_answer.h"
#include "os/random.h"
#include "runtime/runtime.h"

struct resolve_waiter {
	struct list node;
	struct task *task;
};

struct resolve_question {
	struct resolve_cache *cache;
	struct resolve_entry *entry;
	unsigned first_server;
	struct resolv_conf conf;
};

void
resolve_cache_init(struct resolve_cache *cache)
{
	*cache = (struct resolve_cache){.seed = random_u64()};
	for (unsigned i = 0; i < RESOLVE_BUCKETS; i++)
		list_init(&cache->buckets[i]);
	list_init(&cache->used);
}

static void
resolve_entry_free(struct resolve_entry *entry)
{
	must(entry->refs == 0 && list_empty(&entry->waiters));
	free(entry->records);
	free(entry);
}

static void
resolve_entry_drop(struct resolve_cache *cache, struct resolve_entry *entry)
{
	list_remove(&entry->bucket);
	list_remove(&entry->used);
	entry->dropped = true;
	cache->count--;
	if (entry->refs == 0)
		resolve_entry_free(entry);
}

void
resolve_cache_clear(struct resolve_cache *cache)
{
	list_each_safe (node, &cache->used)
		resolve_entry_drop(
		    cache, container_of(node, struct resolve_entry, used));
}

void
resolve_cache_fini(struct resolve_cache *cache)
{
	must(cache->pending_count == 0);
	resolve_cache_clear(cache);
}

void
resolve_cache_release(struct resolve_cache *cache, struct resolve_entry *entry)
{
	must(entry->refs > 0);
	(void)cache;
	if (--entry->refs == 0 && entry->dropped)
		resolve_entry_free(entry);
}

/* Room for one more; what is in use stays. */
static bool
resolve_cache_trim(struct resolve_cache *cache)
{
	if (cache->count < RESOLVE_CACHE_MAX)
		return true;
	list_each (node, &cache->used) {
		struct resolve_entry *entry =
		    container_of(node, struct resolve_entry, used);

		if (entry->refs > 0)
			continue;
		resolve_entry_drop(cache, entry);
		return true;
	}
	return false;
}

static struct resolve_entry *
resolve_cache_find(
    struct resolve_cache *cache, const struct dns_name *name, uint16_t type)
{
	struct list *bucket =
	    &cache->buckets[dns_name_hash(name, cache->seed) % RESOLVE_BUCKETS];

	list_each (node, bucket) {
		struct resolve_entry *entry =
		    container_of(node, struct resolve_entry, bucket);

		if (entry->type != type || !dns_name_equal(&entry->name, name))
			continue;
		if (!entry->pending &&
		    !instant_before(runtime_now(), entry->expires)) {
			resolve_entry_drop(cache, entry);
			return NULL;
		}
		list_remove(&entry->used);
		list_push_back(&cache->used, &entry->used);
		return entry;
	}
	return NULL;
}

static void
resolve_entry_end(struct resolve_question *question, int result, uint32_t ttl_s)
{
	struct resolve_entry *entry = question->entry;
	struct list *node;

	entry->result = result;
	entry->pending = false;
	entry->expires = instant_after(runtime_now(), duration_s(ttl_s));
	question->cache->pending_count--;
	while ((node = list_pop_front(&entry->waiters)) != NULL)
		task_wake(
		    container_of(node, struct resolve_waiter, node)->task);
	resolve_cache_release(question->cache, entry);
}

static void
resolve_say(struct resolve_entry *entry, const struct dns_answer *answer,
    const char *what)
{
	struct appender text =
	    appender_over(entry->failure.text, sizeof(entry->failure.text) - 1);

	append_text(&text, what);
	append_literal(&text, " from ");
	net_address_format(&answer->server, &text);
	entry->failure.text[text.length] = '\0';
}

/* What an answer without records means for the entry. */
static int
resolve_refuse(struct resolve_entry *entry, const struct dns_answer *answer,
    enum resolve_outcome outcome, uint32_t *ttl)
{
	switch (outcome) {
	case RESOLVE_NONE:
		entry->name_exists = answer->rcode == DNS_NOERROR;
		*ttl = min_of(*ttl, (uint32_t)RESOLVE_NEGATIVE_MAX_S);
		resolve_say(entry, answer,
		    entry->name_exists ? "no such record (NOERROR)"
				       : "no such name (NXDOMAIN)");
		return E_NO_ADDRESS;
	case RESOLVE_NO_MEMORY:
		*ttl = 0;
		resolve_say(entry, answer, "no memory for the answer");
		return -ENOMEM;
	case RESOLVE_TOO_MANY:
		*ttl = RESOLVE_FAILURE_S;
		resolve_say(
		    entry, answer, "a loop or too long a chain of aliases");
		return E_RESOLVER_FAILED;
	default:
		*ttl = RESOLVE_FAILURE_S;
		resolve_say(entry, answer, "malformed answer");
		return E_RESOLVER_FAILED;
	}
}

static int
resolve_ask(struct resolve_question *question, uint32_t *ttl)
{
	struct resolve_entry *entry = question->entry;
	struct dns_question asked = {entry->name, entry->type, DNS_CLASS_IN};
	unsigned aliases = 0;

	*ttl = RESOLVE_TTL_MAX_S;
	for (;;) {
		enum resolve_outcome outcome;
		struct dns_answer answer;
		int r;

		r = dns_ask(&question->conf, question->first_server, &asked,
		    &answer, &entry->failure);
		if (r < 0) {
			*ttl = r == E_RESOLVER_FAILED || r == E_RESOLVER_TIMEOUT
			    ? RESOLVE_FAILURE_S
			    : 0;
			return r;
		}
		outcome = resolve_answer_take(
		    entry, &answer, &asked.name, &aliases, ttl);
		r = outcome == RESOLVE_FOUND || outcome == RESOLVE_FOLLOW
		    ? 0
		    : resolve_refuse(entry, &answer, outcome, ttl);
		/* A name that leads to itself over several answers; each
		 * question takes one alias at least. */
		free(answer.message);
		if (outcome != RESOLVE_FOLLOW)
			return r;
	}
}

static int
resolve_task(void *arg)
{
	struct resolve_question *question = arg;
	uint32_t ttl;
	int r = resolve_ask(question, &ttl);

	/* Of our own lacks nothing is remembered. */
	if (r == 0 || r == E_NO_ADDRESS)
		ttl = max_of(ttl, (uint32_t)RESOLVE_TTL_MIN_S);
	resolve_entry_end(question, r, ttl);
	free(question);
	return 0;
}

static int
resolve_question_start(struct resolve_cache *cache,
    const struct resolv_conf *conf, struct resolve_entry *entry)
{
	struct resolve_question *question = malloc(sizeof(*question));
	int r;

	if (question == NULL)
		return -ENOMEM;
	*question = (struct resolve_question){.cache = cache,
	    .entry = entry,
	    .first_server = conf->rotate ? cache->server_next++ : 0,
	    .conf = *conf};
	r = task_start(NULL, "resolve", resolve_task, question);
	if (r < 0) {
		free(question);
		return r;
	}
	entry->pending = true;
	entry->refs++;
	cache->pending_count++;
	return 0;
}

int
resolve_cache_begin(struct resolve_cache *cache, const struct resolv_conf *conf,
    const struct dns_name *name, uint16_t type,
    struct resolve_entry **ret_entry)
{
	struct resolve_entry *entry = resolve_cache_find(cache, name, type);
	int r;

	if (entry != NULL) {
		entry->refs++;
		*ret_entry = entry;
		return 0;
	}
	if (cache->pending_count >= RESOLVE_PENDING_MAX ||
	    !resolve_cache_trim(cache))
		return -EAGAIN;
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return -ENOMEM;
	entry->type = type;
	entry->name = *name;
	dns_name_fold(&entry->name);
	list_init(&entry->waiters);
	r = resolve_question_start(cache, conf, entry);
	if (r < 0) {
		free(entry);
		return r;
	}
	list_push_back(
	    &cache->buckets[dns_name_hash(name, cache->seed) % RESOLVE_BUCKETS],
	    &entry->bucket);
	list_push_back(&cache->used, &entry->used);
	cache->count++;
	entry->refs++;
	*ret_entry = entry;
	return 0;
}

int
resolve_cache_wait(struct resolve_entry *entry, instant deadline)
{
	struct resolve_waiter waiter = {.task = task_self()};

	if (!entry->pending)
		return 0;
	list_push_back(&entry->waiters, &waiter.node);
	while (entry->pending) {
		int r = task_park("resolve", deadline);

		if (r == 0 || !entry->pending)
			continue;
		list_remove(&waiter.node);
		return r;
	}
	return 0;
}
