/*
 * resolve.h - from the path of a request to an open file
 *
 * Layer      edge/files
 * Threads    any
 * Memory     of the arena given
 * Limits     one open per index name, one more per coding on offer
 * Invariant  what is opened is a regular file (or a directory to be listed)
 *            beneath the root
 */
#pragma once

#include "base/arena.h"
#include "config/snapshot.h"
#include "edge/files/negotiate.h"
#include "os/file.h"

enum resolution {
	RESOLVED_FILE,
	RESOLVED_SLASH, /* a directory, asked for without its slash */
	RESOLVED_LISTING, /* a directory without index, listing is on */
};

struct resolved {
	enum resolution kind;
	int fd; /* of FILE and LISTING: the caller's; else -1 */
	struct file_stat stat; /* of FILE */
	struct bytes name; /* unescaped path of the file without coding */
	int coding; /* index into config.precompressed, or -1 */
};

/*
 * resolve_path - open what @path means beneath @root
 *
 * @path    relative, normalised, still escaped; a directory ends in '/' or is
 *          empty
 * @codings  to be tried first, by suffix of the name (".br", ".zst", ".gz")
 *
 * A path with a part that begins with '.' does not exist unless
 * config.hidden; /.well-known/ (RFC 8615) does.
 *
 * Returns 0, E_NO_FILE for all that shall look absent (also links that are
 * not to be followed, and what is no regular file), -EACCES, -ENOMEM,
 * -EMFILE, -EIO ...
 */
MUST_CHECK
int resolve_path(const struct config_files *config, int root, struct bytes path,
    coding_order codings, struct arena *arena, struct resolved *ret);

/* What a client shall see of an error of an open. */
int resolve_error(int error);
