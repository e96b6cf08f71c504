/*
 * nearest.h - the nearest of the names known so far
 *
 * Layer      config
 */
#pragma once

#include "base/bytes.h"

struct nearest {
	struct bytes word;
	struct bytes best; /* at == NULL: none is near enough */
	size_t edits; /* of the best, or the limit that none reached */
};

/* Near is at most a third of the word's length, and one at least. */
void nearest_init(struct nearest *nearest, struct bytes word);
void nearest_offer(struct nearest *nearest, struct bytes name);
