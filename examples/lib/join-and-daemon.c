/*
 * join-and-daemon.c - a child that is waited for, and one that dies with us
 *
 *   cc join-and-daemon.c $(pkg-config --cflags --libs weir)
 *
 * Joining a process is a call with a deadline like any other; other tasks run
 * meanwhile. A daemon is killed by the kernel as its parent ends, even when the
 * parent is killed itself and can do nothing more. To show that, this program
 * starts itself once more, as the parent of a daemon, and kills it.
 */
#include <weir/weir.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
join(void)
{
	char *argv[] = {"sh", "-c", "sleep 0.1; exit 3", NULL};
	struct weir_process_options options = {.argv = argv};
	struct weir_process *child;
	struct weir_exit end;
	char text[64];
	int r;

	r = weir_process_start(&options, &child, NULL);
	if (r < 0)
		return r;
	r = weir_process_wait(child, &end, weir_after(WEIR_MILLISECOND));
	printf("after a millisecond: %s\n", strerror(-r));
	r = weir_process_wait(child, &end, weir_after(60 * WEIR_SECOND));
	if (r == 0)
		printf("joined: it %s\n",
		    weir_exit_text(&end, text, sizeof(text)));
	weir_process_drop(child);
	return r;
}

/* The program that is started as the daemon's parent. */
static int
parent(void *arg)
{
	char *argv[] = {"sleep", "1000", NULL};
	struct weir_process_options options = {.argv = argv, .daemon = true};
	struct weir_process *daemon;
	int r = weir_process_start(&options, &daemon, NULL);

	(void)arg;
	if (r < 0)
		return r;
	if (write(STDOUT_FILENO, "x", 1) != 1)
		return -1;
	return weir_sleep(1000 * WEIR_SECOND);
}

static const char *program; /* that is started once more */

static int
daemon_dies(void)
{
	char *argv[] = {"join-and-daemon", "parent", NULL};
	struct weir_process_options options = {
	    .path = program, .argv = argv, .out = {WEIR_STDIO_PIPE, 0}};
	weir_time late = weir_after(60 * WEIR_SECOND);
	struct weir_process *child;
	ssize_t got;
	char byte;
	int r;

	r = weir_process_start(&options, &child, NULL);
	if (r < 0)
		return r;
	/* The daemon runs, and has the parent's stdout too: its end can be
	 * read only when both are dead. */
	got = weir_read(weir_process_stdout(child), &byte, 1, late);
	if (got != 1)
		return -1;
	printf("the parent has started its daemon, and is killed\n");
	weir_process_signal(child, SIGKILL);
	got = weir_read(weir_process_stdout(child), &byte, 1, late);
	if (got == 0)
		printf("the daemon died with it\n");
	weir_process_drop(child);
	return (int)got;
}

static int
root(void *arg)
{
	int r = join();

	(void)arg;
	return r < 0 ? r : daemon_dies();
}

int
main(int argc, char **argv)
{
	struct weir_options options = {.worker_count = 1};

	program = argv[0];
	return weir_run(&options, argc == 2 ? parent : root, NULL) != 0;
}
