/*
 * zombies.c - what makes a zombie, and three ways that do not
 *
 *   cc zombies.c $(pkg-config --cflags --libs weir)
 *
 * A process that has ended stays in the table of processes until its parent
 * has asked how it ended. Who starts processes and forgets them fills it.
 */
#include <weir/weir.h>

#include <ctype.h>
#include <dirent.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 20

static char *const argv_true[] = {"true", NULL};
static const struct weir_process_options child = {.argv = argv_true};

/* Our children that have ended and are still there, from /proc, and those that
 * have not ended. */
static int
zombies(int *ret_alive)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int count = 0;

	*ret_alive = 0;
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		char path[300], line[512] = "", state = 0;
		int parent = 0;
		FILE *file;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		if (fgets(line, sizeof(line), file) != NULL)
			sscanf(strrchr(line, ')'), ") %c %d", &state, &parent);
		fclose(file);
		count += state == 'Z' && parent == getpid();
		*ret_alive += state != 'Z' && parent == getpid();
	}
	closedir(proc);
	return count;
}

static void
say(const char *how)
{
	int count, alive;

	do {
		weir_sleep(50 * WEIR_MILLISECOND);
		zombies(&alive);
	} while (alive > 0);
	/* One that has just ended has a turn of the loop to be reaped. */
	weir_sleep(50 * WEIR_MILLISECOND);
	count = zombies(&alive);
	printf("%-38s %2d zombies\n", how, count);
}

static int
wait_for(void *process)
{
	struct weir_exit end;

	return weir_process_wait(process, &end, WEIR_NEVER);
}

static int
root(void *arg)
{
	struct weir_process *all[CHILDREN];
	struct weir_scope scope;
	struct weir_exit end;
	pid_t pid;

	(void)arg;
	for (int i = 0; i < CHILDREN; i++)
		if (posix_spawnp(&pid, "true", NULL, NULL, argv_true, NULL) !=
		    0)
			return -1;
	say("started by hand and forgotten:");
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;

	/* One: wait for it. */
	for (int i = 0; i < CHILDREN; i++) {
		if (weir_process_start(&child, &all[i], NULL) < 0 ||
		    weir_process_wait(all[i], &end, WEIR_NEVER) < 0)
			return -1;
		weir_process_drop(all[i]);
	}
	say("waited for:");

	/* Two: say that nobody will. */
	for (int i = 0; i < CHILDREN; i++) {
		if (weir_process_start(&child, &all[i], NULL) < 0)
			return -1;
		weir_process_drop(all[i]);
	}
	say("dropped at once:");

	/* Three: do not care. Waiters that are stopped, handles that are kept:
	 * the loop has reaped them all the same. */
	weir_scope_init(&scope, WEIR_NEVER);
	for (int i = 0; i < CHILDREN; i++)
		if (weir_process_start(&child, &all[i], NULL) < 0 ||
		    weir_task_start(&scope, "waiter", wait_for, all[i]) < 0)
			return -1;
	weir_scope_cancel(&scope, 0);
	weir_scope_fini(&scope);
	say("waiters stopped, handles kept:");
	for (int i = 0; i < CHILDREN; i++)
		weir_process_drop(all[i]);
	return 0;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) != 0;
}
