#include "os/user.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A decimal id; (uid_t)-1 means "unchanged" to the kernel and is refused. */
static bool
user_number(const char *text, unsigned *ret_id)
{
	char *end;
	unsigned long id;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (*end != '\0' || errno != 0 || id >= UINT32_MAX)
		return false;
	*ret_id = (unsigned)id;
	return true;
}

static int
user_account_find(const char *name, struct user *ret_user)
{
	struct passwd *account;
	unsigned id;

	if (strlen(name) >= USER_NAME_BYTES)
		return -EINVAL;
	errno = 0;
	account = getpwnam(name);
	if (account == NULL && user_number(name, &id))
		account = getpwuid(id);
	if (account == NULL)
		return errno != 0 && errno != ENOENT ? -errno : -ENOENT;
	snprintf(
	    ret_user->name, sizeof(ret_user->name), "%s", account->pw_name);
	ret_user->uid = account->pw_uid;
	ret_user->gid = account->pw_gid;
	return 0;
}

static int
user_group_find(const char *name, gid_t *ret_gid)
{
	struct group *group;

	errno = 0;
	group = getgrnam(name);
	if (group != NULL) {
		*ret_gid = group->gr_gid;
		return 0;
	}
	if (user_number(name, ret_gid))
		return 0;
	return errno != 0 && errno != ENOENT ? -errno : -ESRCH;
}

int
user_find(const char *name, const char *group, struct user *ret_user)
{
	struct user user = {0};
	int r;

	if (name != NULL) {
		r = user_account_find(name, &user);
	} else {
		r = user_account_find("www-data", &user);
		if (r == -ENOENT)
			r = user_account_find("nobody", &user);
	}
	if (r == 0 && group != NULL)
		r = user_group_find(group, &user.gid);
	if (r == 0)
		*ret_user = user;
	return r;
}

int
user_become(const struct user *user)
{
	if (initgroups(user->name, user->gid) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	/* Paired: there must be no way back. */
	if (user->uid != 0 && setuid(0) == 0)
		return -EPERM;
	return 0;
}

void
privileges_bound(void)
{
	/* Those beyond the kernel's last one fail too. */
	for (unsigned long cap = 0; cap < 64; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

int
privileges_drop(void)
{
	struct __user_cap_header_struct head = {
	    .version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = {0};

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none) < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
