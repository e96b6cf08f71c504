#include "os/orphans.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int
orphans_adopt(void)
{
	if (access("/proc/thread-self/children", R_OK) < 0)
		return -ENOSYS;
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* A zombie, and ours to reap by its number: nobody else can. */
static void
orphan_reap(pid_t pid)
{
	siginfo_t info;

	(void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
}

static void
orphans_reap_of(const char *thread, bool (*ours)(pid_t pid))
{
	char path[64];
	FILE *children;
	int pid;

	(void)snprintf(
	    path, sizeof(path), "/proc/self/task/%.20s/children", thread);
	children = fopen(path, "re");
	if (children == NULL)
		return;
	while (fscanf(children, "%d", &pid) == 1) {
		if (!ours(pid))
			orphan_reap(pid);
	}
	fclose(children);
}

void
orphans_reap(bool (*ours)(pid_t pid))
{
	DIR *threads = opendir("/proc/self/task");
	struct dirent *entry;

	if (threads == NULL)
		return;
	while ((entry = readdir(threads)) != NULL) {
		if (entry->d_name[0] != '.')
			orphans_reap_of(entry->d_name, ours);
	}
	closedir(threads);
}
