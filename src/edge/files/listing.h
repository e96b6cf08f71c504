/*
 * listing.h - the names in a directory, as HTML or JSON
 *
 * Layer      edge/files
 * Memory     names and sizes of LISTING_ENTRIES_MAX entries at most, while
 *            the answer is sent; the page itself is written in pieces
 * Limits     of a larger directory some LISTING_ENTRIES_MAX entries are shown,
 *            and the page says so
 *
 * Reading and sorting happen on a thread of the pool for blocking calls: a
 * large directory does not hold up the other clients of the worker.
 */
#pragma once

#include "http/exchange.h"

#define LISTING_ENTRIES_MAX 10000

struct listing_entry {
	struct bytes name;
	bool directory;
	uint64_t size;
	int64_t modified_s;
};

struct listing {
	/* what to read */
	int root; /* duplicate of the root's descriptor; -1: links are left out
		   */
	struct bytes
	    path; /* beneath the root, unescaped, ends in '/' or empty */
	bool hidden;
	/* what was read */
	struct arena arena;
	struct listing_entry *entries;
	unsigned count;
	bool cut; /* there are more */
	int dir; /* the directory; -1 once it was read */
	int result; /* of the reading */
};

/* All of it at once, blocking. Directories first, then by name. Consumes
 * listing->dir. Returns 0, -ENOMEM, -EIO ... */
MUST_CHECK
int listing_read(struct listing *listing);

/*
 * listing_answer - answer with the directory @dir_take
 *
 * @root  borrowed; @path as in struct listing
 */
SUSPENDS
MUST_CHECK
int
listing_answer(struct exchange *ex, int root, int dir_take, struct bytes path);
