/*
 * raw_echo.c - an echo server as a bare loop on epoll, level-triggered: what
 * cannot be left out
 */
#include <sys/epoll.h>

#include "serve.h"

#define EVENTS_MAX 256

static void
echo_accept(int epoll, int listener)
{
	struct epoll_event event = {.events = EPOLLIN};

	while ((event.data.fd = accept4(
		    listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		serve_nodelay(event.data.fd);
		epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
	}
}

/* A peer that does not read is not served by this one: it waits for nothing. */
static void
echo_read(int fd)
{
	static char bytes[ECHO_BYTES];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	if (n > 0)
		n = send(fd, bytes, (size_t)n, MSG_NOSIGNAL);
	if (n <= 0 && errno != EAGAIN)
		close(fd);
}

int
main(void)
{
	struct epoll_event events[EVENTS_MAX];
	int listener = serve_listen();
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};

	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS_MAX, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				echo_accept(epoll, listener);
			else
				echo_read(events[i].data.fd);
		}
	}
}
