/*
 * range.c - Range and Accept-Encoding, which every client can send
 *
 * The input is the value of both. What must hold for any bytes: ranges lie
 * inside the file, do not overlap and ask for no more than the file has; an
 * order of codings names each at most once.
 */
#include <stdint.h>

#include "edge/files/negotiate.h"
#include "edge/files/range.h"

static void
check_range(struct bytes value, uint64_t size)
{
	struct range_set set;
	uint64_t total = 0;

	if (range_parse(value, size, &set) != RANGE_SOME)
		return;
	must(set.count >= 1 && set.count <= RANGE_COUNT_MAX);
	for (unsigned i = 0; i < set.count; i++) {
		must(set.ranges[i].length >= 1);
		must(set.ranges[i].first < size);
		must(set.ranges[i].length <= size - set.ranges[i].first);
		must(set.ranges[i].length <= size - total);
		total += set.ranges[i].length;
	}
}

static void
check_codings(struct bytes value)
{
	static const struct bytes offered[] = {
	    {"br", 2}, {"zstd", 4}, {"gzip", 4}};
	struct http_head head;
	unsigned seen = 0, i = 0;
	coding_order order;

	http_head_init(&head);
	if (http_head_add(&head, FIELD_ACCEPT_ENCODING, value) < 0 ||
	    http_head_add(&head, FIELD_ACCEPT, value) < 0)
		return;
	order = negotiate_codings(&head, offered, 3);
	for (; coding_at(order, i) >= 0; i++) {
		must(coding_at(order, i) < 3);
		must((seen & 1u << coding_at(order, i)) == 0);
		seen |= 1u << coding_at(order, i);
	}
	must(i <= 3 && order >> 4 * i == 0);
	(void)negotiate_json(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t sizes[] = {0, 1, 10, 1000000, UINT64_MAX};
	struct bytes value = bytes_of((const char *)data, size);

	for (size_t i = 0; i < array_count(sizes); i++)
		check_range(value, sizes[i]);
	if (size <= UINT16_MAX)
		check_codings(value);
	return 0;
}
