#include "base/arena.h"

#include <stdlib.h>

#define ARENA_BLOCK_BYTES 4096

struct arena_block {
	struct arena_block *next;
	_Alignas(16) char memory[];
};

void
arena_init(
    struct arena *arena, void *first, size_t first_bytes, size_t limit_bytes)
{
	*arena = (struct arena){
	    .at = first,
	    .end = first != NULL ? (char *)first + first_bytes : NULL,
	    .first = first,
	    .first_bytes = first_bytes,
	    .limit_bytes = limit_bytes,
	};
}

void
arena_reset(struct arena *arena)
{
	struct arena_block *block;

	while ((block = arena->blocks) != NULL) {
		arena->blocks = block->next;
		free(block);
	}
	arena_init(arena, arena->first, arena->first_bytes, arena->limit_bytes);
}

static bool
arena_grow(struct arena *arena, size_t bytes)
{
	size_t size = max_of(bytes, (size_t)ARENA_BLOCK_BYTES);
	struct arena_block *block;

	if (arena->limit_bytes != 0 &&
	    size > arena->limit_bytes - arena->allocated_bytes)
		return false;
	block = malloc(sizeof(*block) + size);
	if (block == NULL)
		return false;
	block->next = arena->blocks;
	arena->blocks = block;
	arena->allocated_bytes += size;
	arena->at = block->memory;
	arena->end = block->memory + size;
	return true;
}

void *
arena_alloc(struct arena *arena, size_t bytes)
{
	char *memory;

	if (bytes > SIZE_MAX / 2)
		return NULL;
	bytes = (bytes + 15) & ~(size_t)15;
	memory = (char *)(((uintptr_t)arena->at + 15) & ~(uintptr_t)15);
	if (memory == NULL || memory > arena->end ||
	    (size_t)(arena->end - memory) < bytes) {
		if (!arena_grow(arena, bytes))
			return NULL;
		memory = arena->at;
	}
	arena->at = memory + bytes;
	return memory;
}

void *
arena_zero(struct arena *arena, size_t bytes)
{
	void *memory = arena_alloc(arena, bytes);

	if (memory != NULL)
		memset(memory, 0, bytes);
	return memory;
}

struct bytes
arena_copy(struct arena *arena, struct bytes text)
{
	char *copy = arena_alloc(arena, text.length + 1);

	if (copy == NULL)
		return bytes_of(NULL, 0);
	if (text.length != 0)
		memcpy(copy, text.at, text.length);
	copy[text.length] = '\0';
	return bytes_of(copy, text.length);
}
