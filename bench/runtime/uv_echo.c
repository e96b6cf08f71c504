/*
 * uv_echo.c - an echo server on libuv
 */
#include <uv.h>

#include "serve.h"

static char bytes[ECHO_BYTES];

static void
echo_closed(uv_handle_t *handle)
{
	free(handle);
}

static void
echo_written(uv_write_t *request, int status)
{
	(void)status;
	free(request);
}

static void
echo_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	(void)handle;
	(void)suggested;
	*buffer = uv_buf_init(bytes, sizeof(bytes));
}

/* At once if the socket takes it, as libuv advises; else the rest is queued. */
static void
echo_send(uv_stream_t *stream, size_t length)
{
	uv_buf_t buffer = uv_buf_init(bytes, (unsigned)length);
	int sent = uv_try_write(stream, &buffer, 1);
	size_t left = length - (size_t)(sent > 0 ? sent : 0);
	uv_write_t *request;

	if (left == 0)
		return;
	request = malloc(sizeof(*request) + left);
	if (request == NULL)
		return;
	memcpy(request + 1, bytes + length - left, left);
	buffer = uv_buf_init((char *)(request + 1), (unsigned)left);
	if (uv_write(request, stream, &buffer, 1, echo_written) < 0)
		free(request);
}

static void
echo_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *buffer)
{
	(void)buffer;
	if (length > 0)
		echo_send(stream, (size_t)length);
	else if (length < 0)
		uv_close((uv_handle_t *)stream, echo_closed);
}

static void
echo_accept(uv_stream_t *listener, int status)
{
	uv_tcp_t *conn = malloc(sizeof(*conn));

	if (status < 0 || conn == NULL)
		exit(1);
	uv_tcp_init(listener->loop, conn);
	if (uv_accept(listener, (uv_stream_t *)conn) < 0) {
		uv_close((uv_handle_t *)conn, echo_closed);
		return;
	}
	uv_tcp_nodelay(conn, 1);
	uv_read_start((uv_stream_t *)conn, echo_buffer, echo_read);
}

int
main(void)
{
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t listener;

	uv_tcp_init(loop, &listener);
	if (uv_tcp_open(&listener, serve_listen()) < 0 ||
	    uv_listen((uv_stream_t *)&listener, ECHO_BACKLOG, echo_accept) < 0)
		return 1;
	return uv_run(loop, UV_RUN_DEFAULT);
}
