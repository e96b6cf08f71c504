#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"
#include "policy/balance.h"

#define KEYS 20000

static struct random seeded;

static struct balancer
balancer_of(const char *policy, unsigned count, const uint32_t *weights)
{
	struct balancer balancer;

	random_seed(&seeded, 7);
	assert_int_equal(balancer_init(&balancer,
			     balance_policy_find(bytes_from(policy)), count),
	    0);
	for (unsigned i = 0; i < count; i++)
		balancer.servers[i] = (struct balance_server){
		    .key = hash_mix(1000 + i),
		    .weight = weights != NULL ? weights[i] : 100,
		    .usable = true,
		};
	balancer_rebuild(&balancer);
	return balancer;
}

static int
pick(struct balancer *balancer, uint64_t hash, uint32_t bound)
{
	struct balance_request request = {
	    .hash = hash,
	    .random = random_next(&seeded),
	    .bound_percent = bound,
	};
	int server = balancer_pick(balancer, &request);

	if (server >= 0) {
		assert_true((unsigned)server < balancer->count);
		assert_true(balancer->servers[server].usable);
		assert_true(balancer->servers[server].weight > 0);
	}
	return server;
}

/* Every hit count within 5 standard deviations of its expected share. */
static void
assert_shares(const unsigned *hits, const uint32_t *weights, unsigned count,
    unsigned total)
{
	double sum = 0;

	for (unsigned i = 0; i < count; i++)
		sum += weights[i];
	for (unsigned i = 0; i < count; i++) {
		double share = weights[i] / sum;
		double variance = total * share * (1 - share);
		double off = hits[i] - total * share;

		if (off * off > 25 * variance)
			fail_msg("server %u: %u of %u, weight %u", i, hits[i],
			    total, weights[i]);
	}
}

static void
table_is_whole(void **state)
{
	unsigned count = 0;

	for (; balance_policy_at(count) != NULL; count++) {
		const struct balance_policy *policy = balance_policy_at(count);

		assert_ptr_equal(
		    balance_policy_find(bytes_from(policy->name)), policy);
		assert_non_null(policy->pick);
		assert_true(strlen(policy->summary) > 0);
	}
	assert_int_equal(count, 7);
	assert_null(balance_policy_find(BYTES("least_request")));
	assert_null(balance_policy_find(BYTES("")));
}

/* What holds for every policy, whatever it decides by. */
static void
every_policy_obeys(void **state)
{
	static const uint32_t weights[] = {100, 0, 300, 100};
	struct balancer balancer;

	for (unsigned p = 0; balance_policy_at(p) != NULL; p++) {
		const char *name = balance_policy_at(p)->name;

		balancer = balancer_of(name, 4, weights);
		for (unsigned i = 0; i < 1000; i++) {
			int server = pick(&balancer, hash_mix(i), 125);

			assert_true(server >= 0 && server != 1);
		}
		balancer.servers[0].usable = false;
		balancer.servers[2].usable = false;
		for (unsigned i = 0; i < 1000; i++)
			assert_int_equal(pick(&balancer, hash_mix(i), 125), 3);
		balancer.servers[3].usable = false;
		assert_int_equal(pick(&balancer, 1, 125), -1);
		/* Only a server of weight 0 is left. */
		assert_int_equal(pick(&balancer, 1, 0), -1);
		balancer_fini(&balancer);

		balancer = balancer_of(name, 0, NULL);
		assert_int_equal(pick(&balancer, 1, 125), -1);
		balancer_fini(&balancer);
	}
	assert_int_equal(balancer_init(&balancer, balance_policy_at(0),
			     BALANCE_SERVERS_MAX + 1),
	    -EINVAL);
}

static void
round_robin_sequence(void **state)
{
	static const uint32_t weights[] = {5, 1, 1};
	static const char *names[] = {"round_robin", "weighted_round_robin"};

	for (unsigned n = 0; n < 2; n++) {
		struct balancer balancer = balancer_of(names[n], 3, weights);
		char order[15] = "";

		for (unsigned i = 0; i < 14; i++)
			order[i] = (char)('a' + pick(&balancer, 0, 0));
		assert_string_equal(order, "aabacaaaabacaa");
		balancer_fini(&balancer);
	}
}

/* After every whole cycle the counts are exact, whatever the weights; at no
 * time does a server stray from its share by the number of servers. */
static void
round_robin_exact(void **state)
{
	for (unsigned round = 0; round < 50; round++) {
		uint32_t weights[8], total = 0;
		unsigned hits[8] = {0};
		struct balancer balancer;

		random_seed(&seeded, round);
		for (unsigned i = 0; i < 8; i++) {
			weights[i] = 1 +
			    (uint32_t)random_scale(random_next(&seeded), 20);
			total += weights[i];
		}
		balancer = balancer_of("round_robin", 8, weights);
		balancer.position = round;
		for (unsigned n = 1; n <= 3 * total; n++) {
			hits[pick(&balancer, 0, 0)]++;
			for (unsigned i = 0; i < 8; i++)
				assert_true(
				    fabs(hits[i] -
					(double)n * weights[i] / total) < 8);
		}
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(hits[i], 3 * weights[i]);
		balancer_fini(&balancer);
	}
}

static void
round_robin_down_is_spread(void **state)
{
	static const uint32_t weights[] = {200, 100, 300, 400};
	struct balancer balancer = balancer_of("round_robin", 4, weights);
	unsigned hits[4] = {0};

	for (unsigned i = 0; i < 7; i++)
		pick(&balancer, 0, 0);
	balancer.servers[2].usable = false;
	for (unsigned i = 0; i < 700; i++)
		hits[pick(&balancer, 0, 0)]++;
	assert_in_range(hits[0], 198, 202);
	assert_in_range(hits[1], 98, 102);
	assert_int_equal(hits[2], 0);
	assert_in_range(hits[3], 398, 402);
	/* Back again: its share, not a flood. */
	balancer.servers[2].usable = true;
	memset(hits, 0, sizeof(hits));
	for (unsigned i = 0; i < 100; i++)
		hits[pick(&balancer, 0, 0)]++;
	assert_in_range(hits[2], 28, 32);
	balancer_fini(&balancer);
}

static void
round_robin_starts_at_position(void **state)
{
	struct balancer balancer = balancer_of("round_robin", 4, NULL);

	balancer.position = 1000 * 4 + 2;
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(pick(&balancer, 0, 0), (i + 2) % 4);
	balancer_fini(&balancer);
}

static void
least_requests_by_weight(void **state)
{
	static const uint32_t weights[] = {100, 200, 100};
	struct balancer balancer = balancer_of("least_requests", 3, weights);
	unsigned hits[3] = {0};

	balancer.servers[0].load = 3;
	balancer.servers[1].load = 5; /* 2.5 per weight: the least */
	balancer.servers[2].load = 4;
	assert_int_equal(pick(&balancer, 0, 0), 1);
	balancer.servers[2].load = 0;
	assert_int_equal(pick(&balancer, 0, 0), 2);

	/* All equal, idle or loaded alike: turns by weight, exactly. */
	balancer_rebuild(&balancer);
	for (unsigned i = 0; i < 3; i++)
		balancer.servers[i].load = weights[i] / 100 * 7;
	for (unsigned i = 0; i < 400; i++)
		hits[pick(&balancer, 0, 0)]++;
	assert_int_equal(hits[0], 100);
	assert_int_equal(hits[1], 200);
	assert_int_equal(hits[2], 100);
	balancer_fini(&balancer);
}

/* Requests that never end: loads settle by weight, within one request. */
static void
least_requests_levels(void **state)
{
	static const uint32_t weights[] = {100, 300, 600};
	struct balancer balancer = balancer_of("least_requests", 3, weights);

	for (unsigned i = 0; i < 1000; i++)
		balancer.servers[pick(&balancer, 0, 0)].load++;
	assert_in_range(balancer.servers[0].load, 99, 101);
	assert_in_range(balancer.servers[1].load, 299, 301);
	assert_in_range(balancer.servers[2].load, 599, 601);
	balancer_fini(&balancer);
}

static void
draws_by_weight(void **state)
{
	static const uint32_t weights[] = {100, 0, 250, 700, 50};
	struct balancer balancer = balancer_of("random", 5, weights);
	unsigned hits[5] = {0};

	for (unsigned i = 0; i < KEYS; i++)
		hits[pick(&balancer, 0, 0)]++;
	assert_shares(hits, weights, 5, KEYS);
	balancer_fini(&balancer);
}

/* Mitzenmacher: n balls into n bins by two choices leave the fullest with
 * log log n; by one choice, with log n / log log n. */
static void
two_choices_levels(void **state)
{
	static const char *names[] = {"two_choices", "random"};
	unsigned most[2] = {0};

	for (unsigned n = 0; n < 2; n++) {
		struct balancer balancer = balancer_of(names[n], 1000, NULL);

		for (unsigned i = 0; i < 1000; i++) {
			int at = pick(&balancer, 0, 0);
			unsigned load = ++balancer.servers[at].load;

			most[n] = max_of(most[n], load);
		}
		balancer_fini(&balancer);
	}
	assert_in_range(most[0], 2, 4);
	assert_in_range(most[1], 5, 9);
}

static void
two_choices_two_servers(void **state)
{
	struct balancer balancer = balancer_of("two_choices", 2, NULL);

	/* Two are always compared, never one with itself. */
	balancer.servers[0].load = 1;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(pick(&balancer, 0, 0), 1);
	balancer_fini(&balancer);
}

static void
hash_shares(void **state)
{
	static const uint32_t weights[] = {100, 100, 250, 400, 1500};
	struct balancer balancer = balancer_of("hash", 5, weights);
	unsigned hits[5] = {0};

	for (unsigned i = 0; i < KEYS; i++)
		hits[pick(&balancer, hash_mix(i), 0)]++;
	assert_shares(hits, weights, 5, KEYS);
	balancer_fini(&balancer);
}

/* 160 points: each share strays by about 8 %; 4 deviations allowed. */
static void
ring_shares(void **state)
{
	static const uint32_t weights[] = {100, 200, 400, 100};
	struct balancer balancer = balancer_of("hash_ring", 4, weights);
	unsigned hits[4] = {0};

	assert_in_range(balancer.used, 4 * BALANCE_RING_POINTS - 4,
	    4 * BALANCE_RING_POINTS);
	for (unsigned i = 0; i < KEYS; i++)
		hits[pick(&balancer, hash_mix(i), 0)]++;
	for (unsigned i = 0; i < 4; i++) {
		double expected = KEYS * weights[i] / 800.0;
		double points = 4.0 * BALANCE_RING_POINTS * weights[i] / 800;
		double off = (hits[i] - expected) / expected;

		assert_true(off * off < 16 / points);
	}
	balancer_fini(&balancer);
}

/* Losing a server moves its keys alone, and to all others by weight. */
static void
loss_moves_its_own_keys(void **state)
{
	static const char *names[] = {"hash", "hash_ring"};
	static const uint32_t weights[] = {100, 200, 300, 100, 100, 200};
	static int before[KEYS];

	for (unsigned n = 0; n < 2; n++) {
		struct balancer balancer = balancer_of(names[n], 6, weights);
		unsigned moved = 0, to[6] = {0};

		for (unsigned i = 0; i < KEYS; i++)
			before[i] = pick(&balancer, hash_mix(i), 0);
		balancer.servers[2].usable = false;
		for (unsigned i = 0; i < KEYS; i++) {
			int now = pick(&balancer, hash_mix(i), 0);

			if (before[i] != 2)
				assert_int_equal(now, before[i]);
			moved += before[i] == 2;
			to[now] += before[i] == 2;
		}
		for (unsigned i = 0; i < 6; i++) {
			double share = moved * weights[i] / 700.0;

			if (i != 2)
				assert_true(fabs(to[i] - share) < share * 0.35);
		}
		balancer.servers[2].usable = true;
		for (unsigned i = 0; i < KEYS; i++)
			assert_int_equal(
			    pick(&balancer, hash_mix(i), 0), before[i]);
		balancer_fini(&balancer);
	}
}

/* A tenth server takes about a tenth of the keys; no key moves between the
 * nine that were there. */
static void
gain_takes_its_share(void **state)
{
	static const char *names[] = {"hash", "hash_ring"};

	for (unsigned n = 0; n < 2; n++) {
		struct balancer nine = balancer_of(names[n], 9, NULL);
		struct balancer ten = balancer_of(names[n], 10, NULL);
		unsigned moved = 0;

		for (unsigned i = 0; i < KEYS; i++) {
			int before = pick(&nine, hash_mix(i), 0);
			int after = pick(&ten, hash_mix(i), 0);

			if (after != before) {
				assert_int_equal(after, 9);
				moved++;
			}
		}
		assert_in_range(moved, KEYS / 10 * 7 / 10, KEYS / 10 * 13 / 10);
		balancer_fini(&nine);
		balancer_fini(&ten);
	}
}

/* The order of the servers in the file must not matter. */
static void
hash_ignores_order(void **state)
{
	static const char *names[] = {"hash", "hash_ring"};

	for (unsigned n = 0; n < 2; n++) {
		struct balancer a = balancer_of(names[n], 7, NULL);
		struct balancer b = balancer_of(names[n], 7, NULL);

		for (unsigned i = 0; i < 7; i++)
			b.servers[i].key = a.servers[6 - i].key;
		balancer_rebuild(&b);
		for (unsigned i = 0; i < KEYS; i++)
			assert_int_equal(pick(&a, hash_mix(i), 0),
			    6 - pick(&b, hash_mix(i), 0));
		balancer_fini(&a);
		balancer_fini(&b);
	}
}

/* One hot key: every load stays at or below ceil(bound * mean by weight). */
static void
bound_holds(void **state)
{
	static const char *names[] = {"hash", "hash_ring"};
	static const uint32_t weights[] = {100, 300, 100, 200, 300};
	static const uint32_t bounds[] = {100, 110, 125, 200};

	for (unsigned n = 0; n < 8; n++) {
		struct balancer balancer =
		    balancer_of(names[n % 2], 5, weights);
		uint32_t bound = bounds[n / 2];
		unsigned on_first = 0;
		int first = pick(&balancer, 12345, bound);

		for (uint64_t total = 1; total <= 2000; total++) {
			uint64_t key = total % 4 == 0 ? hash_mix(total) : 12345;
			int at = pick(&balancer, key, bound);
			uint64_t most;

			assert_true(at >= 0);
			on_first += at == first;
			most =
			    (bound * total * weights[at] + 100000 - 1) / 100000;
			assert_true(++balancer.servers[at].load <= most);
		}
		/* The key keeps its server as far as the bound allows. */
		assert_true(
		    on_first >= 2000 * weights[first] / 1000 * bound / 100 - 1);
		balancer_fini(&balancer);
	}
}

static void
slow_start_curve(void **state)
{
	static const struct {
		uint32_t weight;
		int64_t up_for, slow_start;
		uint32_t expected;
	} rows[] = {
	    {100, 0, 1000, 10},
	    {100, -5, 1000, 10},
	    {100, 500, 1000, 55},
	    {100, 999, 1000, 99},
	    {100, 1000, 1000, 100},
	    {100, 5000, 1000, 100},
	    {100, 0, 0, 100},
	    {100, 0, -1, 100},
	    {0, 0, 1000, 0},
	    {5, 0, 1000, 1},
	    {1, 999, 1000, 1},
	    {6553500, INT64_MAX - 1, INT64_MAX, 6553499},
	    {6553500, 0, INT64_MAX, 655350},
	};

	for (size_t i = 0; i < array_count(rows); i++)
		assert_int_equal(balance_slow_start_weight(rows[i].weight,
				     rows[i].up_for, rows[i].slow_start),
		    rows[i].expected);
	for (int64_t t = 1; t <= 1000; t++)
		assert_true(balance_slow_start_weight(70, t, 1000) >=
		    balance_slow_start_weight(70, t - 1, 1000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table_is_whole),
	    cmocka_unit_test(every_policy_obeys),
	    cmocka_unit_test(round_robin_sequence),
	    cmocka_unit_test(round_robin_exact),
	    cmocka_unit_test(round_robin_down_is_spread),
	    cmocka_unit_test(round_robin_starts_at_position),
	    cmocka_unit_test(least_requests_by_weight),
	    cmocka_unit_test(least_requests_levels),
	    cmocka_unit_test(draws_by_weight),
	    cmocka_unit_test(two_choices_levels),
	    cmocka_unit_test(two_choices_two_servers),
	    cmocka_unit_test(hash_shares),
	    cmocka_unit_test(ring_shares),
	    cmocka_unit_test(loss_moves_its_own_keys),
	    cmocka_unit_test(gain_takes_its_share),
	    cmocka_unit_test(hash_ignores_order),
	    cmocka_unit_test(bound_holds),
	    cmocka_unit_test(slow_start_curve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
