#include "http/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/counters.h"
#include "http/access_line.h"
#include "os/log.h"
#include "runtime/runtime.h"

static struct exchange ex;
static char text[4 << 20];

/* ---- helpers ---- */

static int
file_new(char path[32])
{
	int fd;

	memcpy(
	    path, "/tmp/weir-access-XXXXXX", sizeof("/tmp/weir-access-XXXXXX"));
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	return fd;
}

static size_t
file_read(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t length = fread(text, 1, sizeof(text) - 1, file);

	fclose(file);
	text[length] = '\0';
	return length;
}

/* Whole lines of the log format in `text`. */
static unsigned
lines_count(void)
{
	unsigned count = 0;
	char *at = text, *end;

	for (; (end = strchr(at, '\n')) != NULL; at = end + 1) {
		assert_memory_equal(at, "time=", 5);
		assert_memory_equal(end - 6, " out=0", 6);
		count++;
	}
	assert_int_equal(*at, '\0');
	return count;
}

static void
lines_write(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		access_log_write(&ex);
}

/* As a task of a runtime with one worker, as it is used. */
static void
in_runtime(int (*run)(void *arg))
{
	const struct runtime_options options = {.worker_count = 1};

	assert_int_equal(runtime_run(&options, run, NULL), 0);
	access_log_close();
}

static int
prepare(void **state)
{
	memset(&ex, 0, sizeof(ex));
	ex.client = ex.peer = BYTES("192.0.2.7");
	ex.request.method_name = BYTES("GET");
	ex.request.path = BYTES("/index.html");
	ex.status = 200;
	counters_here->log_lines_dropped = 0;
	return 0;
}

/* ---- tests ---- */

static int
gathers_run(void *arg)
{
	char path[32];

	assert_int_equal(access_log_open(file_new(path), LOG_FORMAT_LOGFMT), 0);
	lines_write(3);
	assert_int_equal(file_read(path), 0);
	assert_int_equal(task_sleep(duration_ms(2 * ACCESS_LOG_DELAY_MS)), 0);
	file_read(path);
	assert_int_equal(lines_count(), 3);
	lines_write(2);
	access_log_flush();
	file_read(path);
	assert_int_equal(lines_count(), 5);
	/* A full buffer does not wait for the timer. */
	lines_write(10000);
	assert_true(file_read(path) > ACCESS_LOG_BUFFER_BYTES);
	lines_count();
	access_log_thread_end();
	file_read(path);
	assert_int_equal(lines_count(), 10005);
	assert_int_equal(counters_here->log_lines_dropped, 0);
	unlink(path);
	return 0;
}

static void
gathers(void **state)
{
	in_runtime(gathers_run);
}

static int
off_run(void *arg)
{
	static const struct config_route silent = {.log = false};
	char path[32];

	lines_write(10); /* nothing is open */
	assert_int_equal(access_log_open(file_new(path), LOG_FORMAT_LOGFMT), 0);
	ex.route = &silent;
	lines_write(10);
	ex.route = NULL;
	access_log_close();
	lines_write(10);
	access_log_thread_end();
	assert_int_equal(file_read(path), 0);
	unlink(path);
	return 0;
}

static void
off(void **state)
{
	in_runtime(off_run);
}

static int
rotates_run(void *arg)
{
	char first[32], second[32];

	assert_int_equal(
	    access_log_open(file_new(first), LOG_FORMAT_LOGFMT), 0);
	lines_write(4);
	access_log_flush();
	lines_write(5);
	assert_int_equal(access_log_reopen(file_new(second)), 0);
	lines_write(6);
	access_log_thread_end();
	file_read(first);
	assert_int_equal(lines_count(), 4);
	file_read(second);
	assert_int_equal(lines_count(), 11);
	unlink(first);
	unlink(second);
	return 0;
}

static void
rotates(void **state)
{
	in_runtime(rotates_run);
}

/* A reader that sleeps costs lines, not time; what arrives is whole. */
static int
slow_pipe_run(void *arg)
{
	const unsigned written = 5000;
	size_t length = 0;
	uint64_t dropped;
	int ends[2];
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(access_log_open(ends[1], LOG_FORMAT_LOGFMT), 0);
	lines_write(written);
	dropped = counters_here->log_lines_dropped;
	assert_true(dropped > 0 && dropped < written);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	for (unsigned round = 0; round < 4; round++) {
		while ((n = read(
			    ends[0], text + length, sizeof(text) - length)) > 0)
			length += (size_t)n;
		assert_int_equal(
		    task_sleep(duration_ms(ACCESS_LOG_DELAY_MS + 20)), 0);
	}
	text[length] = '\0';
	assert_int_equal(lines_count(), written - dropped);
	assert_int_equal(counters_here->log_lines_dropped, dropped);
	access_log_thread_end();
	close(ends[0]);
	return 0;
}

static void
slow_pipe(void **state)
{
	in_runtime(slow_pipe_run);
}

/* A write that a limit cuts: only the line that was cut is broken, and it is
 * written again. */
static int
full_disk_run(void *arg)
{
	struct rlimit limit, small;
	char path[32], *first_end;
	size_t cut;

	assert_int_equal(access_log_open(file_new(path), LOG_FORMAT_LOGFMT), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	small = limit;
	small.rlim_cur = 1000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	lines_write(100);
	access_log_flush();
	assert_int_equal(file_read(path), 1000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	access_log_thread_end();
	file_read(path);
	/* Take the broken piece out: 100 whole lines are left. */
	cut = 1000;
	while (text[cut - 1] != '\n')
		cut--;
	first_end = strchr(text + cut, '\n');
	assert_non_null(first_end);
	assert_int_equal(first_end - text, 1000);
	memmove(text + cut, first_end + 1, strlen(first_end + 1) + 1);
	assert_int_equal(lines_count(), 100);
	assert_int_equal(counters_here->log_lines_dropped, 0);
	unlink(path);
	return 0;
}

static void
full_disk(void **state)
{
	in_runtime(full_disk_run);
}

static int
never_written_run(void *arg)
{
	assert_int_equal(
	    access_log_open(open("/dev/full", O_WRONLY), LOG_FORMAT_LOGFMT), 0);
	lines_write(5000);
	access_log_thread_end();
	assert_int_equal(counters_here->log_lines_dropped, 5000);
	return 0;
}

static void
never_written(void **state)
{
	in_runtime(never_written_run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(gathers, prepare),
	    cmocka_unit_test_setup(off, prepare),
	    cmocka_unit_test_setup(rotates, prepare),
	    cmocka_unit_test_setup(slow_pipe, prepare),
	    cmocka_unit_test_setup(full_disk, prepare),
	    cmocka_unit_test_setup(never_written, prepare),
	};

	log_open(open("/dev/null", O_WRONLY), LOG_LEVEL_INFO, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
