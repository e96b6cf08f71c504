/*
 * tables_test.c - errors.tbl and counters.tbl, lists, instants
 */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/counters.h"
#include "base/error.h"
#include "base/list.h"
#include "base/time.h"

static const struct {
	int value;
	int status;
	enum error_fault fault;
	const char *name;
	const char *text;
} errors[] = {
#define ERROR(name, value, fault, again, status, text)                         \
	{(value), (status), (fault), #name, (text)},
#include "base/errors.tbl"
#undef ERROR
};

static void
error_rows(void **state)
{
	for (size_t i = 0; i < array_count(errors); i++) {
		int value = errors[i].value;

		/* Above are the system's, which nobody may shadow. */
		assert_in_range(-value, 1001, 9999);
		assert_in_range(errors[i].status, 400, 599);
		assert_true(strlen(errors[i].text) > 0);
		for (size_t k = 0; k < i; k++) {
			assert_int_not_equal(errors[k].value, value);
			assert_string_not_equal(errors[k].text, errors[i].text);
		}
		assert_string_equal(error_name(value), errors[i].name);
		assert_string_equal(error_text(value), errors[i].text);
		assert_int_equal(error_http_status(value), errors[i].status);
		assert_int_equal(error_fault(value), errors[i].fault);
	}
}

/* Every number there can be has a name, a text and a status. */
static void
error_any(void **state)
{
	for (int error = -3000; error <= 0; error++) {
		assert_non_null(error_text(error));
		assert_non_null(error_name(error));
		assert_in_range(error_http_status(error), 400, 599);
	}
	assert_string_equal(error_name(-ETIMEDOUT), "ETIMEDOUT");
	assert_int_equal(error_http_status(-ETIMEDOUT), 504);
	assert_int_equal(error_fault(-EIO), FAULT_LOCAL);
	assert_true(error_again(-EAGAIN));
	assert_false(error_again(-EINVAL));
	assert_true(error_again(E_DRAINING));
	assert_false(error_again(E_H1_BARE_LF));
}

/* A metric's name is what Prometheus takes; one metric has one help. */
static void
counter_rows(void **state)
{
	enum kind { COUNTER, GAUGE };
	static const struct {
		enum kind kind;
		const char *metric, *labels, *help;
	} rows[] = {
#define COUNTER(name, kind, metric, labels, help)                              \
	{(kind), (metric), (labels), (help)},
#include "base/counters.tbl"
#undef COUNTER
	};

	for (size_t i = 0; i < array_count(rows); i++) {
		size_t length = strlen(rows[i].metric);

		for (size_t at = 0; at < length; at++)
			assert_true(
			    islower((unsigned char)rows[i].metric[at]) ||
			    rows[i].metric[at] == '_');
		assert_int_equal(length > 6 &&
			strcmp(rows[i].metric + length - 6, "_total") == 0,
		    rows[i].kind == COUNTER);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(rows[i].metric, rows[k].metric) != 0)
				continue;
			assert_string_not_equal(rows[i].labels, rows[k].labels);
			assert_string_equal(rows[i].help, rows[k].help);
		}
	}
}

static void
latency_buckets(void **state)
{
	static struct counters block;

	counters_use(&block);
	for (unsigned i = 0; i < COUNTERS_LATENCY_BUCKETS; i++) {
		uint64_t bound_us = UINT64_C(64) << i;

		memset(&block, 0, sizeof(block));
		counters_latency_add(bound_us);
		assert_int_equal(block.latency[i], 1);
		counters_latency_add(bound_us + 1);
		assert_int_equal(block.latency[i], 1);
		assert_int_equal(block.latency[i + 1], 1);
		assert_int_equal(block.latency_sum_us, 2 * bound_us + 1);
	}
	memset(&block, 0, sizeof(block));
	counters_latency_add(0);
	counters_latency_add(1);
	assert_int_equal(block.latency[0], 2);
	counters_latency_add(UINT64_MAX);
	assert_int_equal(block.latency[COUNTERS_LATENCY_BUCKETS], 1);
	counters_use(NULL);
	assert_ptr_not_equal(counters_here, &block);
}

struct item {
	int value;
	struct list link;
};

static int
list_sum_in_order(struct list *l)
{
	int sum = 0;

	list_each (node, l)
		sum = sum * 10 + container_of(node, struct item, link)->value;
	return sum;
}

static void
lists(void **state)
{
	struct item items[4];
	struct list l;

	list_init(&l);
	assert_true(list_empty(&l));
	assert_null(list_pop_front(&l));
	for (int i = 0; i < 4; i++)
		items[i].value = i + 1;
	list_push_back(&l, &items[1].link);
	list_push_back(&l, &items[3].link);
	list_push_front(&l, &items[0].link);
	list_insert_after(&items[1].link, &items[2].link);
	assert_int_equal(list_sum_in_order(&l), 1234);
	list_remove(&items[2].link);
	assert_true(list_empty(&items[2].link));
	list_remove(&items[2].link);
	assert_int_equal(list_sum_in_order(&l), 124);
	assert_ptr_equal(list_pop_front(&l), &items[0].link);
	list_each_safe (node, &l)
		list_remove(node);
	assert_true(list_empty(&l));
}

static void
instants(void **state)
{
	instant t = {1000};

	assert_int_equal(instant_after(t, duration_us(2)).ns, 3000);
	assert_int_equal(instant_after(t, duration_ns(-2000)).ns, -1000);
	assert_int_equal(duration_to_ms(duration_s(2)), 2000);
	assert_int_equal(duration_ms(3).ns, 3000000);
	assert_true(instant_before(instant_past(), t));
	assert_true(instant_before(t, instant_never()));
	assert_int_equal(instant_earlier(t, instant_never()).ns, 1000);
	assert_int_equal(instant_since(t, (instant){400}).ns, 600);
	/* Never and past stay what they are; all else saturates. */
	assert_true(
	    instant_is_never(instant_after(instant_never(), duration_s(-1))));
	assert_int_equal(
	    instant_after(instant_past(), duration_s(1)).ns, INSTANT_PAST_NS);
	assert_true(instant_is_never(
	    instant_after((instant){INT64_MAX - 1}, duration_ns(5))));
	assert_int_equal(
	    instant_after((instant){INT64_MIN + 1}, duration_ns(-5)).ns,
	    INSTANT_PAST_NS);
	assert_int_equal(
	    instant_since(instant_never(), (instant){-1}).ns, INT64_MAX);
	assert_int_equal(instant_since(instant_past(), t).ns, INT64_MIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(error_rows),
	    cmocka_unit_test(error_any),
	    cmocka_unit_test(counter_rows),
	    cmocka_unit_test(latency_buckets),
	    cmocka_unit_test(lists),
	    cmocka_unit_test(instants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
