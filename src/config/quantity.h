/*
 * quantity.h - numbers with units, as the file has them
 *
 * Layer      config
 */
#pragma once

#include "base/bytes.h"
#include "base/time.h"

enum quantity_result {
	QUANTITY_OK,
	QUANTITY_MALFORMED,
	QUANTITY_NO_UNIT, /* a number alone; *ret is the number */
	QUANTITY_TOO_LARGE,
};

/* "250ms", "10s", "1m30s", "2h", "1d"; "0" needs no unit. Nanoseconds. */
enum quantity_result quantity_duration(struct bytes text, int64_t *ret_ns);

/* "8192", "512B", "8KiB", "10MB" (1000), "1GiB". Bytes. */
enum quantity_result quantity_size(struct bytes text, uint64_t *ret_bytes);

/* "20%"; "0" needs no unit. */
enum quantity_result quantity_percent(struct bytes text, uint64_t *ret_percent);

/* With the largest unit that leaves a whole number. */
void quantity_duration_write(int64_t ns, struct appender *into);
void quantity_size_write(uint64_t bytes, struct appender *into);
