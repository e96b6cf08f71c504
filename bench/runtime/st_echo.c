/*
 * st_echo.c - an echo server on State Threads
 */
#include <st.h>

#include "serve.h"

#define STACK_BYTES 65536

static void *
echo_serve(void *arg)
{
	st_netfd_t conn = arg;
	char bytes[ECHO_BYTES];
	ssize_t n;

	while ((n = st_read(conn, bytes, sizeof(bytes), ST_UTIME_NO_TIMEOUT)) >
	    0) {
		if (st_write(conn, bytes, (size_t)n, ST_UTIME_NO_TIMEOUT) != n)
			break;
	}
	st_netfd_close(conn);
	return NULL;
}

int
main(void)
{
	st_netfd_t listener, conn;

	st_set_eventsys(ST_EVENTSYS_ALT);
	if (st_init() < 0)
		return 1;
	listener = st_netfd_open_socket(serve_listen());
	while ((conn = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT)) !=
	    NULL) {
		serve_nodelay(st_netfd_fileno(conn));
		if (st_thread_create(echo_serve, conn, 0, STACK_BYTES) == NULL)
			return 1;
	}
	return 1;
}
