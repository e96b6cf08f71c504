/*
 * range.h - the Range field of a request
 *
 * Layer      edge/files; pure: no I/O, no clock
 * Limits     RANGE_COUNT_MAX ranges; more, or ranges that overlap, get the
 *            whole file, so that a small request never asks for more bytes
 *            than the file has
 * Sources    RFC 9110 §14.1.2, §14.2
 */
#pragma once

#include "base/bytes.h"

#define RANGE_COUNT_MAX 16

struct range {
	uint64_t first;
	uint64_t length; /* >= 1 */
};

struct range_set {
	unsigned count;
	struct range ranges[RANGE_COUNT_MAX];
};

enum range_verdict {
	RANGE_WHOLE, /* not a range we serve: ignore the field */
	RANGE_SOME, /* 206 with the ranges of the set, in their order */
	RANGE_UNSATISFIABLE, /* 416 */
};

/* @value  of the field; @size  of the representation, in bytes */
enum range_verdict
range_parse(struct bytes value, uint64_t size, struct range_set *ret_set);
