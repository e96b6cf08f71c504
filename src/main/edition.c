#include "main/edition.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "config/config.h"
#include "net/shared.h"
#include "os/memfd.h"

unsigned
edition_threads(const struct snapshot *snapshot)
{
	unsigned threads = snapshot->threads;
	cpu_set_t cpus;

	if (threads == 0 && sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		threads = (unsigned)CPU_COUNT(&cpus);
	threads = max_of(threads, 1u);
	return min_of(threads, (unsigned)RUNTIME_WORKERS_MAX);
}

/* ---- the file ---- */

static int
edition_check(
    const char *path, struct bytes text, FILE *why, struct snapshot **ret)
{
	struct config_errors errors;
	int r;

	config_errors_init(&errors, path, text);
	r = snapshot_build(text, path, &errors, ret);
	config_errors_print(&errors, why, isatty(fileno(why)) > 0);
	config_errors_fini(&errors);
	if (r < 0 && r != E_CONFIG_INVALID)
		fprintf(why, "%s: %s\n", path, error_text(r));
	return r;
}

static int
edition_read(struct edition *edition, FILE *why)
{
	size_t length;
	char *text;
	int r;

	r = config_read_file(edition->path, &text, &length);
	if (r < 0) {
		fprintf(why, "%s: cannot be read: %s\n", edition->path,
		    error_text(r));
		return r;
	}
	r = edition_check(
	    edition->path, bytes_of(text, length), why, &edition->snapshot);
	if (r == 0) {
		edition->snapshot->version = edition->version;
		edition->text_fd =
		    memfd_of("weir-config", bytes_of(text, length));
		r = min_of(edition->text_fd, 0);
	}
	free(text);
	return r;
}

int
edition_load(
    const char *path, uint64_t version, FILE *why, struct edition **ret)
{
	struct edition *edition = calloc(1, sizeof(*edition));
	int r;

	if (edition == NULL)
		return -ENOMEM;
	edition->version = version;
	edition->path = path;
	edition->text_fd = edition->error_log = edition->access_log = -1;
	r = edition_read(edition, why);
	if (r < 0) {
		edition_close(edition, NULL);
		return r;
	}
	*ret = edition;
	return 0;
}

/* ---- logs ---- */

/* Above the numbers that a role is given (manager.h). */
#define EDITION_FD_MIN 10

static int
edition_log_open_low(struct bytes to)
{
	char path[4096];

	snprintf(path, sizeof(path), "%.*s", (int)to.length, to.at);
	return open(
	    path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

static int
edition_log_open(struct bytes to, FILE *why)
{
	bool is_file = false;
	int low, fd;

	if (bytes_equal(to, BYTES("stderr"))) {
		low = STDERR_FILENO;
	} else if (bytes_equal(to, BYTES("stdout"))) {
		low = STDOUT_FILENO;
	} else {
		is_file = true;
		low = edition_log_open_low(to);
	}
	fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, EDITION_FD_MIN);
	if (fd < 0) {
		fd = -errno;
		fprintf(why, "log %.*s cannot be opened: %s\n", (int)to.length,
		    to.at, error_text(fd));
	}
	if (is_file && low >= 0)
		close(low);
	return fd;
}

static void
edition_fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int
edition_logs_open(const struct config_log *log, FILE *why, int *ret_error_log,
    int *ret_access_log)
{
	int error_log, access_log = -1;

	error_log = edition_log_open(log->error_to, why);
	if (error_log < 0)
		return error_log;
	if (!bytes_equal(log->access_to, BYTES("off"))) {
		access_log = edition_log_open(log->access_to, why);
		if (access_log < 0) {
			close(error_log);
			return access_log;
		}
	}
	*ret_error_log = error_log;
	*ret_access_log = access_log;
	return 0;
}

int
edition_logs_reopen(struct edition *edition, FILE *why)
{
	int error_log, access_log;
	int r = edition_logs_open(
	    &edition->snapshot->log, why, &error_log, &access_log);

	if (r < 0)
		return r;
	edition_fd_close(&edition->error_log);
	edition_fd_close(&edition->access_log);
	edition->error_log = error_log;
	edition->access_log = access_log;
	return 0;
}

/* ---- sockets ---- */

static int
edition_listener_failed(struct bytes address, int error, FILE *why)
{
	const char *remedy = "";

	if (error == -EADDRINUSE)
		remedy = "; somebody else listens there: stop it, or choose "
			 "another address";
	else if (error == -EACCES)
		remedy = "; ports below 1024 need root or "
			 "CAP_NET_BIND_SERVICE";
	else if (error == -EADDRNOTAVAIL)
		remedy = "; no interface of this machine has that address";
	else if (error == -ENOENT)
		remedy = "; create the folder of the socket";
	fprintf(why, "cannot listen on %.*s: %s%s\n", (int)address.length,
	    address.at, error_text(error), remedy);
	return error;
}

static int
edition_sites_listen(struct edition *edition, struct listening_set *set,
    unsigned threads, FILE *why)
{
	const struct snapshot *snapshot = edition->snapshot;
	int r, first_error = 0;

	edition->listeners = calloc(
	    max_of(snapshot->listener_count, 1u), sizeof(*edition->listeners));
	if (edition->listeners == NULL)
		return -ENOMEM;
	/* All of them, so that all mistakes are told at once. */
	for (unsigned i = 0; i < snapshot->listener_count; i++) {
		const struct config_listener *l = &snapshot->listeners[i];

		r = listening_acquire(set, &l->address, LISTENING_SITE,
		    l->backlog, threads, &edition->listeners[i]);
		/* The IPv6 half of a bare port, on a system without. */
		if (l->optional && (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL))
			r = listening_acquire_none(
			    set, &l->address, threads, &edition->listeners[i]);
		if (r < 0)
			edition_listener_failed(l->address.text, r, why);
		if (r < 0 && first_error == 0)
			first_error = r;
	}
	return first_error;
}

#define EDITION_ADMIN_BACKLOG 64

static int
edition_admin_unix_address(
    struct bytes path, struct config_address *ret_address)
{
	struct sockaddr_un *un = (void *)&ret_address->socket;

	*ret_address = (struct config_address){.text = path};
	if (path.length >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.at, path.length);
	ret_address->length = sizeof(*un);
	return 0;
}

static int
edition_admin_listen(
    struct edition *edition, struct listening_set *set, FILE *why)
{
	const struct config_admin *admin = &edition->snapshot->admin;
	struct config_address address;
	int r = 0;

	if (admin->socket.at != NULL) {
		r = edition_admin_unix_address(admin->socket, &address);
		if (r == 0)
			r = listening_acquire(set, &address, LISTENING_ADMIN,
			    EDITION_ADMIN_BACKLOG, 1, &edition->admin_unix);
		if (r < 0)
			return edition_listener_failed(admin->socket, r, why);
	}
	if (admin->listen.at != NULL) {
		r = listening_acquire(set, &admin->listen_address,
		    LISTENING_ADMIN, EDITION_ADMIN_BACKLOG, 1,
		    &edition->admin_loopback);
		if (r < 0)
			return edition_listener_failed(admin->listen, r, why);
	}
	return 0;
}

/* ---- places in the verdict table ---- */

static int
edition_slots_claim(struct edition *edition, FILE *why)
{
	const struct snapshot *snapshot = edition->snapshot;
	unsigned count = 0;

	for (unsigned i = 0; i < snapshot->pool_count; i++)
		count += snapshot->pools[i].server_count;
	edition->slots = calloc(max_of(count, 1u), sizeof(int));
	if (edition->slots == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < snapshot->pool_count; i++) {
		const struct config_pool *pool = &snapshot->pools[i];

		for (unsigned j = 0; j < pool->server_count; j++) {
			int slot =
			    verdict_claim(pool->name, pool->servers[j].name);

			if (slot < 0) {
				fprintf(why,
				    "too many servers: at most %d over all "
				    "pools\n",
				    SHARED_SERVERS_MAX);
				return slot;
			}
			edition->slots[edition->slot_count++] = slot;
		}
	}
	return 0;
}

static void
edition_slots_release(
    const struct edition *edition, const struct edition *staying)
{
	bool kept[SHARED_SERVERS_MAX] = {false};

	for (unsigned i = 0; staying != NULL && i < staying->slot_count; i++)
		kept[staying->slots[i]] = true;
	for (unsigned i = 0; i < edition->slot_count; i++) {
		if (!kept[edition->slots[i]])
			verdict_release(edition->slots[i]);
	}
}

/* ---- all of it ---- */

int
edition_open(struct edition *edition, struct listening_set *set,
    unsigned threads, FILE *why)
{
	int r;

	r = edition_logs_open(&edition->snapshot->log, why, &edition->error_log,
	    &edition->access_log);
	if (r == 0)
		r = edition_sites_listen(edition, set, threads, why);
	if (r == 0)
		r = edition_admin_listen(edition, set, why);
	if (r == 0)
		r = edition_slots_claim(edition, why);
	return r;
}

void
edition_close(struct edition *edition, const struct edition *staying)
{
	unsigned count = edition->snapshot != NULL && edition->listeners != NULL
	    ? edition->snapshot->listener_count
	    : 0;

	edition_slots_release(edition, staying);
	for (unsigned i = 0; i < count; i++) {
		if (edition->listeners[i] != NULL)
			listening_release(edition->listeners[i]);
	}
	if (edition->admin_unix != NULL)
		listening_release(edition->admin_unix);
	if (edition->admin_loopback != NULL)
		listening_release(edition->admin_loopback);
	edition_fd_close(&edition->text_fd);
	edition_fd_close(&edition->error_log);
	edition_fd_close(&edition->access_log);
	free(edition->listeners);
	free(edition->slots);
	if (edition->snapshot != NULL)
		snapshot_free(edition->snapshot);
	free(edition);
}
