/*
 * producer-consumer.c - one producer, three consumers, nothing lost or doubled
 *
 *   cc producer-consumer.c $(pkg-config --cflags --libs weir)
 *   ./producer-consumer [ITEMS [MICROSECONDS-PER-ITEM]]
 *
 * The producer makes 1, 2, 3, ... one every so often; a consumer works on one
 * for a third of that. The channel between them is bounded, so a producer that
 * is too fast waits. Full size: 10000 items, one every 3000 us, 1 ms of work
 * each, which takes half a minute.
 */
#include <weir/weir.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define CONSUMERS 3
#define ITEMS_MAX 10000

struct shop {
	struct weir_channel *items;
	int64_t period_ns;
	int item_count;
	int consumed; /* of all consumers: one worker, so plain is right */
	int by_consumer[CONSUMERS];
	unsigned char seen[ITEMS_MAX + 1];
};

struct consumer {
	struct shop *shop;
	int number;
};

static int
produce(void *arg)
{
	struct shop *shop = arg;
	struct weir_ticker ticker;
	int error = 0;

	weir_ticker_init(&ticker, shop->period_ns);
	for (int i = 1; i <= shop->item_count && error == 0; i++) {
		error = weir_channel_send(shop->items, &i, WEIR_NEVER);
		if (error == 0)
			error = weir_ticker_wait(&ticker);
	}
	/* Consumers take what is left, then see the end. */
	weir_channel_close(shop->items);
	return error;
}

static int
consume(void *arg)
{
	struct consumer *self = arg;
	struct shop *shop = self->shop;
	int item, error;

	while (
	    (error = weir_channel_recv(shop->items, &item, WEIR_NEVER)) == 0) {
		error = weir_sleep(shop->period_ns / 3); /* its work */
		if (error < 0)
			return error;
		shop->seen[item]++;
		shop->by_consumer[self->number]++;
		shop->consumed++;
	}
	return error == -EPIPE ? 0 : error;
}

static int
root(void *arg)
{
	struct shop *shop = arg;
	struct consumer consumers[CONSUMERS];
	struct weir_channel_options options = {
	    .item_bytes = sizeof(int), .capacity = 8};
	struct weir_scope scope;
	int error;

	error = weir_channel_new(&options, &shop->items);
	if (error < 0)
		return error;
	weir_scope_init(&scope, WEIR_NEVER);
	error = weir_task_start(&scope, "producer", produce, shop);
	for (int i = 0; i < CONSUMERS && error == 0; i++) {
		consumers[i] = (struct consumer){shop, i};
		error =
		    weir_task_start(&scope, "consumer", consume, &consumers[i]);
	}
	if (error == 0)
		error = weir_scope_wait(&scope);
	weir_scope_fini(&scope);
	weir_channel_unref(shop->items);
	return error;
}

int
main(int argc, char **argv)
{
	struct weir_options options = {.worker_count = 1};
	static struct shop shop;

	shop.item_count = argc > 1 ? atoi(argv[1]) : 500;
	shop.period_ns = (argc > 2 ? atoi(argv[2]) : 300) * WEIR_MICROSECOND;
	assert(shop.item_count > 0 && shop.item_count <= ITEMS_MAX);
	assert(shop.period_ns > 0);
	assert(weir_run(&options, root, &shop) == 0);
	for (int i = 1; i <= shop.item_count; i++)
		assert(shop.seen[i] == 1);
	for (int i = 0; i < CONSUMERS; i++)
		assert(shop.by_consumer[i] > 0);
	printf("%d items consumed by %d consumers, none lost, none twice\n",
	    shop.consumed, CONSUMERS);
	return 0;
}
