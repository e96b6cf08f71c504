/*
 * arena.h - memory that is freed all at once
 *
 * Layer      base
 * Memory     blocks from malloc, or a first block of the caller
 * Limits     grows without bound unless limit_bytes is set; then -> NULL
 */
#pragma once

#include "base/bytes.h"

struct arena_block;
struct arena {
	char *at;
	char *end;
	char *first; /* caller's block, kept by arena_reset() */
	size_t first_bytes;
	struct arena_block *blocks;
	size_t allocated_bytes;
	size_t limit_bytes; /* 0: none */
};

/* @first may be NULL. */
void arena_init(
    struct arena *arena, void *first, size_t first_bytes, size_t limit_bytes);
/* Frees every block but the first. */
void arena_reset(struct arena *arena);
/* 16-byte aligned, not zeroed; NULL when out of memory or over the limit. */
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_zero(struct arena *arena, size_t bytes);
/* A copy with a NUL behind it; at == NULL on failure. */
struct bytes arena_copy(struct arena *arena, struct bytes text);
