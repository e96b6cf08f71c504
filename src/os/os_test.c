/*
 * os_test.c - descriptors, users, files of the manager
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/fdpass.h"
#include "os/listen.h"
#include "os/memfd.h"
#include "os/notify.h"
#include "os/pidfile.h"
#include "os/sandbox.h"
#include "os/user.h"

static char folder[] = "/tmp/weir-os-test-XXXXXX";

static const char *
path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static unsigned
fds_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* ---- descriptors ---- */

static void
test_fdpass(void **state)
{
	struct fdpass pass;
	int ends[2], sent[FDPASS_MAX], got[FDPASS_MAX];
	unsigned before = fds_open();
	char text[8];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	for (unsigned i = 0; i < FDPASS_MAX; i++)
		sent[i] = ends[i % 2];
	fdpass_send_init(&pass, "hello", 5, sent, FDPASS_MAX);
	assert_int_equal(sendmsg(ends[0], &pass.message, 0), 5);
	fdpass_recv_init(&pass, text, sizeof(text));
	assert_int_equal(recvmsg(ends[1], &pass.message, MSG_CMSG_CLOEXEC), 5);
	assert_int_equal(fdpass_recv_take(&pass, got), FDPASS_MAX);
	for (unsigned i = 0; i < FDPASS_MAX; i++) {
		assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
		close(got[i]);
	}

	/* Without descriptors. */
	fdpass_send_init(&pass, "hello", 5, NULL, 0);
	assert_int_equal(sendmsg(ends[0], &pass.message, 0), 5);
	fdpass_recv_init(&pass, text, sizeof(text));
	assert_int_equal(recvmsg(ends[1], &pass.message, 0), 5);
	assert_int_equal(fdpass_recv_take(&pass, got), 0);

	/* Too long for the receiver: nothing may leak. */
	fdpass_send_init(&pass, "hello, world", 12, sent, 3);
	assert_int_equal(sendmsg(ends[0], &pass.message, 0), 12);
	fdpass_recv_init(&pass, text, sizeof(text));
	assert_true(recvmsg(ends[1], &pass.message, 0) > 0);
	assert_int_equal(fdpass_recv_take(&pass, got), -EMSGSIZE);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(fds_open(), before);
}

static void
test_memfd(void **state)
{
	int fd = memfd_of("test", BYTES("sites: []\n"));
	char *text;
	size_t length;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(memfd_read(fd, 5, &text, &length), -EFBIG);
	assert_int_equal(memfd_read(fd, 100, &text, &length), 0);
	assert_int_equal(length, 10);
	assert_string_equal(text, "sites: []\n");
	free(text);
	close(fd);

	fd = memfd_of("empty", bytes_of(NULL, 0));
	assert_int_equal(memfd_read(fd, 100, &text, &length), 0);
	assert_int_equal(length, 0);
	free(text);
	close(fd);
}

static void
test_listen_inet(void **state)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct listen_options options = {
	    .address = (void *)&address,
	    .length = sizeof(address),
	    .backlog = 16,
	};
	socklen_t length = sizeof(address);
	unsigned before = fds_open();
	int fds[3], other[2], client;

	/* A port of the kernel's choice first, freed again. */
	assert_int_equal(listen_open(&options, fds, 1), 0);
	getsockname(fds[0], (void *)&address, &length);
	close(fds[0]);

	assert_int_equal(listen_open(&options, fds, 3), 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (void *)&address, length), 0);
	assert_int_equal(fcntl(fds[2], F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fds[2], F_GETFL) & O_NONBLOCK);
	assert_int_equal(listen_open(&options, other, 2), -EADDRINUSE);
	assert_int_equal(other[0], -1);
	close(client);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
	assert_int_equal(fds_open(), before);
}

static void
test_listen_unix(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct listen_options options = {
	    .address = (void *)&address,
	    .length = sizeof(address),
	    .backlog = 16,
	    .unix_mode = 0600,
	};
	struct stat status;
	int fds[2], again[2];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
	    path_of("socket"));
	assert_int_equal(listen_open(&options, fds, 2), 0);
	assert_int_equal(fds[1], -1);
	assert_int_equal(stat(address.sun_path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(listen_open(&options, again, 1), -EADDRINUSE);
	close(fds[0]);

	/* The file is left behind; nobody listens any more. */
	assert_int_equal(listen_open(&options, fds, 1), 0);
	close(fds[0]);
	unlink(address.sun_path);

	/* What is no socket is never removed. */
	close(open(address.sun_path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(listen_open(&options, fds, 1), -EADDRINUSE);
	assert_int_equal(unlink(address.sun_path), 0);
}

static int
child_status(void (*run)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		run();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
sandbox_harmless(void)
{
	if (privileges_drop() != 0 || sandbox_enter() != 0)
		_exit(10);
	if (syscall(SYS_unshare, 0) != -1 || errno != EPERM)
		_exit(11);
	if (getppid() == 0 || open("/", O_RDONLY) < 0)
		_exit(12);
}

static void
sandbox_exec(void)
{
	char *argv[] = {"true", NULL};

	if (privileges_drop() != 0 || sandbox_enter() != 0)
		_exit(10);
	execv("/bin/true", argv);
}

static void
test_sandbox(void **state)
{
	int status;

	assert_int_equal(child_status(sandbox_harmless), 0);
	status = child_status(sandbox_exec);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/* ---- users ---- */

static void
test_user_find(void **state)
{
	struct user user;
	char long_name[200];

	assert_int_equal(user_find("root", NULL, &user), 0);
	assert_int_equal(user.uid, 0);
	assert_string_equal(user.name, "root");
	assert_int_equal(user_find("0", NULL, &user), 0);
	assert_string_equal(user.name, "root");
	assert_int_equal(user_find("root", "nogroup", &user), 0);
	assert_int_not_equal(user.gid, 0);
	assert_int_equal(user_find("root", "4242", &user), 0);
	assert_int_equal(user.gid, 4242);

	assert_int_equal(user_find(NULL, NULL, &user), 0);
	assert_int_not_equal(user.uid, 0);
	assert_int_equal(user_find("no-such-user", NULL, &user), -ENOENT);
	assert_int_equal(user_find("4294967295", NULL, &user), -ENOENT);
	assert_int_equal(user_find("-1", NULL, &user), -ENOENT);
	assert_int_equal(user_find("root", "no-such-group", &user), -ESRCH);
	assert_int_equal(user_find("root", "4294967295", &user), -ESRCH);
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(user_find(long_name, NULL, &user), -EINVAL);
}

static void
user_lowered(void)
{
	struct user user;

	privileges_bound();
	if (user_find(NULL, NULL, &user) != 0 || user_become(&user) != 0 ||
	    privileges_drop() != 0)
		_exit(10);
	if (getuid() != user.uid || geteuid() != user.uid ||
	    getgid() != user.gid || setuid(0) == 0)
		_exit(11);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		_exit(12);
	if (prctl(PR_CAPBSET_READ, 0, 0, 0, 0) != 0)
		_exit(13);
}

static void
test_user_become(void **state)
{
	if (getuid() != 0)
		skip();
	assert_int_equal(child_status(user_lowered), 0);
}

/* ---- files ---- */

static void
pidfile_taken(void)
{
	pid_t other;

	if (pidfile_create(path_of("pid"), &other) != -EEXIST)
		_exit(10);
	if (other != getppid())
		_exit(11);
}

static void
test_pidfile(void **state)
{
	char text[32] = "";
	pid_t other;
	int fd, file;

	/* A file left behind is no obstacle. */
	file = open(path_of("pid"), O_CREAT | O_WRONLY, 0644);
	assert_int_equal(write(file, "1\n", 2), 2);
	close(file);
	fd = pidfile_create(path_of("pid"), &other);
	assert_true(fd >= 0);
	file = open(path_of("pid"), O_RDONLY);
	assert_true(read(file, text, sizeof(text) - 1) > 0);
	close(file);
	assert_int_equal(strtol(text, NULL, 10), getpid());
	assert_int_equal(child_status(pidfile_taken), 0);
	pidfile_remove(path_of("pid"), fd);
	assert_int_equal(access(path_of("pid"), F_OK), -1);
	assert_int_equal(access(path_of("pid.new"), F_OK), -1);

	fd = pidfile_create("/nonexistent/pid", &other);
	assert_int_equal(fd, -ENOENT);
}

static void
test_notify(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[32];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	unsetenv("NOTIFY_SOCKET");
	notify_send("READY=1");
	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
	    path_of("notify"));
	assert_int_equal(bind(fd, (void *)&address, sizeof(address)), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	notify_send("READY=1");
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
	assert_memory_equal(text, "READY=1", 7);
	/* A full queue does not hold us up for good. */
	while (sendto(fd, "x", 1, MSG_DONTWAIT, (void *)&address,
		   sizeof(address)) == 1)
		;
	alarm(10);
	notify_send("READY=1");
	alarm(0);
	unsetenv("NOTIFY_SOCKET");
	unlink(address.sun_path);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fdpass),
	    cmocka_unit_test(test_memfd),
	    cmocka_unit_test(test_listen_inet),
	    cmocka_unit_test(test_listen_unix),
	    cmocka_unit_test(test_sandbox),
	    cmocka_unit_test(test_user_find),
	    cmocka_unit_test(test_user_become),
	    cmocka_unit_test(test_pidfile),
	    cmocka_unit_test(test_notify),
	};
	int failed;

	if (mkdtemp(folder) == NULL)
		return 99;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
