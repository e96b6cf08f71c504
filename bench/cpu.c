#include "cpu.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A whole small file as a string; empty when there is none. */
static void
cpu_read_file(const char *path, char *text, size_t room)
{
	ssize_t n = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, text, room - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
}

static uint64_t
cpu_field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static struct cpu_time
cpu_read_cgroup(const char *directory)
{
	char path[512], text[2048];

	snprintf(path, sizeof(path), "%s/cpu.stat", directory);
	cpu_read_file(path, text, sizeof(text));
	return (struct cpu_time){
	    .total_us = cpu_field(text, "usage_usec "),
	    .user_us = cpu_field(text, "user_usec "),
	    .system_us = cpu_field(text, "system_usec "),
	};
}

static void
cpu_add_process(const char *pid, struct cpu_time *sum)
{
	uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t user = 0, system = 0;
	char path[64], text[1024];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	cpu_read_file(path, text, sizeof(text));
	at = strrchr(text, ')'); /* the name before it may hold anything */
	if (!at ||
	    sscanf(at + 1,
		" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
		" %" SCNu64,
		&user, &system) != 2)
		return;
	sum->user_us += user * tick_us;
	sum->system_us += system * tick_us;
	sum->total_us += (user + system) * tick_us;
}

struct cpu_time
cpu_read(const struct cpu_source *source)
{
	struct cpu_time sum = {0};
	char pid[21];
	const char *at;
	size_t length;

	if (source->cgroup)
		return cpu_read_cgroup(source->cgroup);
	for (at = source->pids; *at; at += length + (at[length] == ',')) {
		length = strcspn(at, ",");
		snprintf(pid, sizeof(pid), "%.*s", (int)length, at);
		cpu_add_process(pid, &sum);
	}
	return sum;
}

struct cpu_time
cpu_since(struct cpu_time before, struct cpu_time after)
{
	return (struct cpu_time){
	    .total_us = after.total_us - before.total_us,
	    .user_us = after.user_us - before.user_us,
	    .system_us = after.system_us - before.system_us,
	};
}
