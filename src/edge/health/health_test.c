#include "edge/health/health.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "edge/health/origin_for_test.h"
#include "net/shared.h"
#include "os/log.h"
#include "runtime/runtime.h"

#define EVERY_MS 15

static struct origin origin;
static struct scope serving;
static const char *script; /* '+' 200, '-' 500; the last one stays */
static unsigned answers_max; /* the next one waits until this is raised */
static int log_file;

static void
script_step(struct origin *o)
{
	static const char *const good[] = {
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};
	static const char *const bad[] = {
	    "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", NULL};

	while (o->hits >= answers_max) {
		if (task_sleep(duration_ms(1)) < 0)
			break;
	}
	o->parts = *script == '+' ? good : bad;
	if (script[1] != '\0')
		script++;
}

/* ---- a configuration of one pool ---- */

static struct config_server servers[64];
static struct config_pool pool;
static struct snapshot snapshot;

static void
configure(unsigned server_count)
{
	static char names[64][16];

	pool = (struct config_pool){
	    .name = BYTES("shop"),
	    .servers = servers,
	    .server_count = server_count,
	    .health =
		{
		    .kind = CHECK_HTTP,
		    .path = BYTES("/"),
		    .method = BYTES("GET"),
		    .status_min = 200,
		    .status_max = 399,
		    .every = duration_ms(EVERY_MS),
		    .timeout = duration_s(5),
		    .fall = 3,
		    .rise = 2,
		    .jitter_percent = 10,
		},
	    .resolve_every = duration_s(30),
	};
	for (unsigned i = 0; i < server_count; i++) {
		struct sockaddr_in in = {.sin_family = AF_INET,
		    .sin_port = htons(origin.port),
		    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

		snprintf(names[i], sizeof(names[i]), "s%u", i);
		servers[i] = (struct config_server){
		    .name = bytes_from(names[i]),
		    .address.text = BYTES("127.0.0.1"),
		    .address.port = origin.port,
		    .address.length = sizeof(in),
		};
		memcpy(&servers[i].address.socket, &in, sizeof(in));
		assert_true(verdict_claim(pool.name, servers[i].name) >= 0);
	}
	snapshot = (struct snapshot){.pools = &pool, .pool_count = 1};
}

static void
start(const char *steps)
{
	script = steps;
	answers_max = UINT_MAX;
	origin = (struct origin){.before = script_step};
	scope_init(&serving, instant_never());
	origin_start(&origin, &serving);
	assert_int_equal(shared_map_private(), 0);
	configure(1);
}

static void
stop(void)
{
	health_stop();
	while (health_checker_count() > 0)
		assert_int_equal(task_sleep(duration_ms(1)), 0);
	scope_cancel(&serving, 0);
	(void)scope_fini(&serving);
}

static struct verdict *
verdict_of(unsigned server)
{
	int slot = verdict_find(pool.name, servers[server].name);

	must(slot >= 0);
	return &shared->verdicts[slot];
}

static char
state_letter(void)
{
	return "?ud"[atomic_load(&verdict_of(0)->state)];
}

static void
await_checks(uint64_t count)
{
	for (int ms = 0; ms < 5000; ms++) {
		if (atomic_load(&verdict_of(0)->checks) >= count)
			return;
		assert_int_equal(task_sleep(duration_ms(1)), 0);
	}
	fail_msg("no check in 5 s");
}

static unsigned
log_count(const char *what)
{
	static char text[1 << 16];
	ssize_t length = pread(log_file, text, sizeof(text) - 1, 0);
	unsigned count = 0;

	must(length >= 0);
	text[length] = '\0';
	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		count++;
	return count;
}

/* ---- the tests ---- */

static int
rises_and_falls(void *arg)
{
	static const char steps[] = "+--+---+-++--+---++";
	static const char states[] = "uuuuuudddduuuuuuddu";
	struct verdict_view view;

	start(steps);
	assert_int_equal(state_letter(), '?');
	assert_int_equal(health_apply(&snapshot), 0);
	for (unsigned i = 0; steps[i] != '\0'; i++) {
		answers_max = i + 1;
		await_checks(i + 1);
		if (state_letter() != states[i])
			fail_msg("check %u: %c", i, state_letter());
		verdict_read(verdict_find(pool.name, servers[0].name),
		    runtime_now(), &view);
		assert_string_equal(view.reason,
		    steps[i] == '+' ? "status 200"
				    : "status 500, expected 200-399");
	}
	assert_int_equal(atomic_load(&verdict_of(0)->check_failures), 11);
	assert_int_equal(log_count("shop/s0 is up: status 200\n"), 3);
	assert_int_equal(log_count("shop/s0 is down: status 500, expected "
				   "200-399; it gets requests again after 2 "
				   "good checks in a row\n"),
	    2);
	answers_max = UINT_MAX;
	stop();
	return 0;
}

static int
first_check_decides(void *arg)
{
	start("-");
	pool.health.every = duration_s(60);
	assert_int_equal(health_apply(&snapshot), 0);
	await_checks(1);
	assert_int_equal(state_letter(), 'd');
	stop();
	return 0;
}

static int
standing_verdict_is_believed(void *arg)
{
	start("-");
	verdict_publish(verdict_find(pool.name, servers[0].name), HEALTH_UP,
	    "before", runtime_now());
	assert_int_equal(health_apply(&snapshot), 0);
	await_checks(2);
	assert_int_equal(state_letter(), 'u');
	await_checks(3);
	assert_int_equal(state_letter(), 'd');
	stop();
	return 0;
}

static int
reload_disturbs_nothing(void *arg)
{
	start("+");
	assert_int_equal(health_apply(&snapshot), 0);
	await_checks(1);
	/* The same from other memory: nothing is started or stopped. */
	for (int i = 0; i < 5; i++) {
		configure(1);
		assert_int_equal(health_apply(&snapshot), 0);
		assert_int_equal(health_checker_count(), 1);
		assert_int_equal(task_sleep(duration_ms(EVERY_MS)), 0);
	}
	/* A change replaces the checker, and the state stays. */
	pool.health.path = BYTES("/other");
	assert_int_equal(health_apply(&snapshot), 0);
	assert_int_equal(health_checker_count(), 2);
	assert_int_equal(state_letter(), 'u');
	await_checks(atomic_load(&verdict_of(0)->checks) + 2);
	assert_int_equal(health_checker_count(), 1);
	assert_memory_equal(origin.request, "GET /other ", 11);
	stop();
	return 0;
}

static int
removed_is_not_checked(void *arg)
{
	unsigned hits;

	start("+");
	configure(2);
	assert_int_equal(health_apply(&snapshot), 0);
	await_checks(2);
	assert_int_equal(health_checker_count(), 2);
	pool.server_count = 1;
	verdict_release(verdict_find(pool.name, servers[1].name));
	assert_int_equal(health_apply(&snapshot), 0);
	await_checks(atomic_load(&verdict_of(0)->checks) + 2);
	assert_int_equal(health_checker_count(), 1);

	/* Without a check a server is unknown again, not down for ever. */
	pool.health.kind = CHECK_NONE;
	assert_int_equal(state_letter(), 'u');
	assert_int_equal(health_apply(&snapshot), 0);
	assert_int_equal(state_letter(), '?');
	assert_int_equal(task_sleep(duration_ms(EVERY_MS)), 0);
	assert_int_equal(health_checker_count(), 0);
	hits = origin.hits;
	assert_int_equal(task_sleep(duration_ms(3 * EVERY_MS)), 0);
	assert_int_equal(origin.hits, hits);
	stop();
	return 0;
}

/* Released while a check was under way: what it finds is not written into a
 * slot that may be somebody else's. */
static int
released_slot_is_left_alone(void *arg)
{
	int slot;

	start("+");
	origin.pause_ms = -300;
	assert_int_equal(health_apply(&snapshot), 0);
	while (origin.hits == 0)
		assert_int_equal(task_sleep(duration_ms(1)), 0);
	slot = verdict_find(pool.name, servers[0].name);
	verdict_release(slot);
	assert_int_equal(task_sleep(duration_ms(500)), 0);
	assert_int_equal(
	    atomic_load(&shared->verdicts[slot].state), HEALTH_UNKNOWN);
	assert_int_equal(atomic_load(&shared->verdicts[slot].checks), 0);
	stop();
	return 0;
}

/* Stopped while a check is under way: it ends, and says nothing. */
static int
stop_forgets_what_runs(void *arg)
{
	start("+");
	origin.pause_ms = -300;
	assert_int_equal(health_apply(&snapshot), 0);
	while (origin.hits == 0)
		assert_int_equal(task_sleep(duration_ms(1)), 0);
	health_stop();
	assert_int_equal(health_checker_count(), 1);
	assert_int_equal(task_sleep(duration_ms(500)), 0);
	assert_int_equal(health_checker_count(), 0);
	assert_int_equal(atomic_load(&verdict_of(0)->checks), 0);
	assert_int_equal(state_letter(), '?');
	stop();
	return 0;
}

/* 40 servers that are known, checked every 400 ms: the first checks spread
 * over that time. */
static int
checks_are_spread(void *arg)
{
	instant begun;
	int64_t most;

	start("+");
	configure(40);
	pool.health.every = duration_ms(400);
	for (unsigned i = 0; i < 40; i++)
		verdict_publish(verdict_find(pool.name, servers[i].name),
		    HEALTH_UP, "before", runtime_now());
	assert_int_equal(health_apply(&snapshot), 0);
	begun = runtime_now();
	assert_int_equal(task_sleep(duration_ms(100)), 0);
	/* A tenth per millisecond, and five standard deviations. */
	most = duration_to_ms(instant_since(runtime_now(), begun)) / 10 + 15;
	assert_in_range(origin.hits, 0, most);
	assert_int_equal(task_sleep(duration_ms(500)), 0);
	assert_in_range(origin.hits, 40, 100);
	stop();
	return 0;
}

static void
on_runtime(void **state)
{
	static const struct runtime_options options = {.worker_count = 1};

	log_file = memfd_create("log", MFD_CLOEXEC);
	must(log_file >= 0);
	log_open(log_file, LOG_LEVEL_INFO, "health");
	assert_int_equal(runtime_run(&options, (task_fn)*state, NULL), 0);
	log_open(STDERR_FILENO, LOG_LEVEL_INFO, "weir");
	close(log_file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn) {#fn, on_runtime, NULL, NULL, (void *)(fn)}
	    TEST(rises_and_falls),
	    TEST(first_check_decides),
	    TEST(standing_verdict_is_believed),
	    TEST(reload_disturbs_nothing),
	    TEST(removed_is_not_checked),
	    TEST(released_slot_is_left_alone),
	    TEST(stop_forgets_what_runs),
	    TEST(checks_are_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
