/*
 * user.h - whom a process runs as, and what it gives up
 *
 * Layer      os
 * Threads    before any other thread exists: credentials are per thread to
 *            the kernel, and the looks-up use NSS
 */
#pragma once

#include <sys/types.h>

#include "base/cc.h"

#define USER_NAME_BYTES 64

struct user {
	char name[USER_NAME_BYTES];
	uid_t uid;
	gid_t gid;
};

/*
 * user_find - an account by its name, or by its number
 *
 * @name   NULL: www-data where it exists, else nobody
 * @group  NULL: the account's own
 *
 * Returns 0, -ENOENT (no such account), -ESRCH (no such group), -EINVAL (a
 * name that is too long), -errno.
 */
MUST_CHECK
int user_find(const char *name, const char *group, struct user *ret_user);

/* Become @user for good, with its supplementary groups. Needs root.
 * Returns 0 or -errno; after an error the process must end. */
MUST_CHECK
int user_become(const struct user *user);

/* No program run from here on can gain a capability: empties the bounding
 * set. Does nothing without CAP_SETPCAP; before user_become(), which takes it
 * away. */
void privileges_bound(void);

/* Give up every capability, and whatever exec could add.
 * Returns 0 or -errno. */
MUST_CHECK
int privileges_drop(void);
