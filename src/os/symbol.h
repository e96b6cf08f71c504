/*
 * symbol.h - the function that an address lies in
 *
 * Layer      os
 * Threads    one user per struct symbols
 * Memory     maps the file of the last module asked for, until symbols_fini()
 * Limits     64-bit ELF; not for signal handlers
 *
 * Static and hidden functions have a name too while the file has its .symtab;
 * a stripped one, or one that may not be opened (a sandbox), gives those that
 * the dynamic linker knows, else only the module and the offset in it.
 */
#pragma once

#include "base/cc.h"

struct symbols {
	const void *base; /* of the module below */
	const char *file; /* mapped, or NULL */
	size_t bytes;
};

struct symbol {
	const char *module; /* path; NULL: the address is in none */
	const char *function; /* NULL: none is known */
	size_t offset; /* in the function, or in the module */
};

void symbols_init(struct symbols *symbols);
void symbols_fini(struct symbols *symbols);

/* The texts are valid until the next call. */
struct symbol symbols_find(struct symbols *symbols, uintptr_t address);
