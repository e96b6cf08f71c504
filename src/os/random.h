/*
 * random.h - random bytes of the kernel, and a fast generator per thread
 *
 * Layer      os
 * Threads    any; random_u64() keeps its state per thread
 */
#pragma once

#include "base/random.h"

/* Fit for keys and tokens. Returns only when all @length bytes are there;
 * the process ends when the kernel has none to give. */
void random_fill(void *into, size_t length);

/* This thread's generator, seeded from the kernel at its first use. */
uint64_t random_u64(void);

/* From here on both are repeatable, from @seed, for the calling thread; NULL:
 * the kernel's again. For a simulation. */
void random_simulate(const uint64_t *seed);
