/*
 * session.c - the life of an exchange on an HTTP/1.1 connection
 *
 * conn_session() is the task: it reads a head, finds the route, lets the
 * handler answer, tidies up what the handler left unread, logs, and goes on
 * with the next request if its bytes are there already; otherwise the
 * connection goes idle and the task ends.
 */
#include "http/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/counters.h"
#include "base/error.h"
#include "http/access_log.h"
#include "http/features.h"
#include "http/forwarded.h"
#include "http/listener.h"
#include "net/buffers.h"
#include "net/shared.h"
#include "os/clock.h"
#include "os/log.h"
#include "runtime/runtime.h"

/* So many are kept always, and as many as are in use: 6 MB. */
#define SESSIONS_KEPT 512
/* Strings of one exchange: fields it adds, redirect targets, log values. */
#define EXCHANGE_ARENA_BYTES (256 * 1024)

static __thread struct session *session_stock;
static __thread unsigned session_kept, session_used;

/* ---- the stock ---- */

struct session *
session_acquire(struct conn *conn)
{
	struct session *s = session_stock;

	if (s != NULL) {
		session_stock = s->next;
		session_kept--;
	} else {
		s = malloc(sizeof(*s));
		if (s == NULL)
			return NULL;
	}
	s->head.memory = buffer_acquire();
	if (s->head.memory == NULL) {
		free(s);
		return NULL;
	}
	session_used++;
	s->head.at = s->head.end = 0;
	s->head.capacity = BUFFER_BYTES;
	s->head_large = NULL;
	s->head_length = 0;
	s->body = (struct input){0};
	s->in = &s->head;
	s->conn = conn;
	s->upgraded = false;
	conn->session = s;
	return s;
}

void
session_release(struct session *s)
{
	s->conn->session = NULL;
	if (s->head_large != NULL)
		free(s->head_large);
	else
		buffer_release(s->head.memory);
	buffer_release(s->body.memory);
	session_used--;
	if (session_kept >= SESSIONS_KEPT && session_kept >= session_used) {
		free(s);
		return;
	}
	s->next = session_stock;
	session_stock = s;
	session_kept++;
}

void
sessions_thread_end(void)
{
	struct session *s;

	while ((s = session_stock) != NULL) {
		session_stock = s->next;
		free(s);
	}
	session_kept = 0;
}

/* ---- an exchange begins and ends ---- */

static void
session_exchange_init(struct session *s)
{
	struct exchange *ex = &s->ex;
	struct deployment *d = deployment_current();

	s->deployment = d;
	deployment_use(d);
	s->keep = true;
	s->continue_due = false;
	s->out_queued = -1;
	s->body_left = 0;
	s->body_max = 0;
	ex->ops = &h1_exchange_ops;
	ex->deployment = d;
	ex->snapshot = d->snapshot;
	ex->listener = NULL;
	ex->site = NULL;
	ex->route = NULL;
	ex->limits = &d->snapshot->limits;
	ex->deadline = instant_never();
	ex->timeline = (struct timeline){0};
	if (s->conn->request_count == 0)
		ex->timeline.accepted = s->conn->accepted;
	ex->head_sent = ex->body_ended = ex->client_gone = false;
	ex->body_at_hand = false;
	ex->peer_trusted = ex->server_reused = false;
	ex->status = ex->attempts = 0;
	ex->error = 0;
	ex->bytes_in = ex->bytes_out = 0;
	ex->matched = ex->client = ex->peer = bytes_of(NULL, 0);
	ex->scheme = BYTES("http");
	ex->pool_name = ex->server_name = bytes_of(NULL, 0);
	http_head_init(&ex->request);
	http_head_init(&ex->response);
	http_head_init(&ex->trailers);
	arena_init(&ex->arena, s->arena_memory, sizeof(s->arena_memory),
	    EXCHANGE_ARENA_BYTES);
}

static void
session_exchange_fini(struct session *s)
{
	arena_reset(&s->ex.arena);
	deployment_unuse(s->deployment);
}

/* ---- routing ---- */

/* The site's limits, or without a site those of the whole. */
static void
session_take_limits(struct session *s)
{
	struct exchange *ex = &s->ex;
	const struct config_limits *limits =
	    ex->site != NULL ? &ex->site->limits : ex->limits;
	uint32_t count_max = limits->keepalive_requests;

	ex->limits = limits;
	rate_meter_init(&s->rate_in, limits->min_rate, limits->min_rate_grace);
	rate_meter_init(&s->rate_out, limits->min_rate, limits->min_rate_grace);
	if (count_max != 0 && s->conn->request_count >= count_max)
		s->keep = false;
}

/* As it would be written again: never longer than it came. */
static size_t
request_line_bytes(const struct http_head *head)
{
	size_t method = head->method_name.length != 0
	    ? head->method_name.length
	    : http_method_text((enum http_method)head->method).length;

	return method + head->target.length + sizeof("  HTTP/1.1") - 1;
}

static int
session_find_site(struct session *s)
{
	struct exchange *ex = &s->ex;
	const struct deployment *d = s->deployment;
	int i = d->listener_of[s->conn->listener->id];

	if (i >= 0) {
		ex->listener = &d->snapshot->listeners[i];
		ex->site =
		    router_site(&d->router, (unsigned)i, ex->request.host);
	}
	session_take_limits(s);
	if (i < 0)
		return E_DRAINING; /* its listener has gone */
	if (ex->site == NULL)
		return E_NO_SITE;
	if (request_line_bytes(&ex->request) > ex->limits->request_line)
		return E_H1_LINE_TOO_LONG;
	if (s->head_length > ex->limits->header_bytes)
		return E_H1_HEAD_TOO_LARGE;
	if (ex->request.field_count > ex->limits->header_count)
		return E_H1_TOO_MANY_FIELDS;
	return 0;
}

static struct bytes
session_allow_text(struct exchange *ex, uint32_t methods)
{
	char text[128];
	struct appender a = appender_over(text, sizeof(text));

	for (unsigned m = 0; m < HTTP_METHOD_OTHER; m++) {
		if ((methods >> m & 1) == 0)
			continue;
		if (a.length != 0)
			append_literal(&a, ", ");
		append_bytes(&a, http_method_text((enum http_method)m));
	}
	return arena_copy(&ex->arena, appender_bytes(&a));
}

static int
session_find_route(struct session *s)
{
	struct exchange *ex = &s->ex;
	struct router_match match;
	int r = router_route(ex->site, &ex->request, &match);

	if (r == E_METHOD_REFUSED) {
		int added = http_head_add(&ex->response, FIELD_ALLOW,
		    session_allow_text(ex, match.allowed));

		return added < 0 ? added : r;
	}
	if (r < 0)
		return r;
	ex->route = match.route;
	ex->matched = match.matched;
	if (match.route->match == PATH_REGEX)
		memcpy(ex->captures, match.captures, sizeof(ex->captures));
	if (ex->request.method == HTTP_TRACE && !match.route->trace_allowed)
		return E_METHOD_REFUSED;
	s->body_max = match.route->body_bytes;
	if (s->body_max != 0 && ex->request.framing == HTTP_BODY_LENGTH &&
	    ex->request.content_length > s->body_max)
		return E_BODY_TOO_LARGE;
	return 0;
}

/* OPTIONS * asks about the server as a whole (RFC 9110 §9.3.7). */
static int
session_answer_options(struct exchange *ex)
{
	int r;

	ex->response.status = 204;
	r = http_head_add(&ex->response, FIELD_ALLOW,
	    BYTES("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
	return r < 0 ? r : exchange_respond(ex, bytes_of(NULL, 0));
}

static int
session_dispatch(struct session *s)
{
	struct exchange *ex = &s->ex;
	const struct feature *feature;
	int r = session_find_site(s);

	if (r == 0)
		r = forwarded_read(ex, &s->conn->peer);
	if (r < 0)
		return r;
	if (ex->request.method == HTTP_CONNECT)
		return E_NOT_IMPLEMENTED;
	if (bytes_equal(ex->request.path, BYTES("*")))
		return session_answer_options(ex);
	r = session_find_route(s);
	if (r < 0)
		return r;
	feature = feature_of(ex->route->action);
	if (never(feature == NULL))
		return -ENOSYS;
	return feature->handle(ex);
}

/* ---- one request ---- */

static void
session_log(struct session *s)
{
	struct exchange *ex = &s->ex;
	duration total;

	ex->timeline.ended = clock_now();
	total = instant_since(ex->timeline.ended, ex->timeline.first_byte);
	counters_latency_add((uint64_t)max_of(total.ns / 1000, 0));
	if (ex->client_gone)
		counters_here->requests_aborted++;
	if (ex->route == NULL || ex->route->log)
		access_log_write(ex);
}

static void
session_settle(struct session *s, int r)
{
	struct exchange *ex = &s->ex;

	if (r < 0 && ex->error == 0)
		ex->error = r;
	if (r < 0 && !ex->head_sent && !ex->client_gone && r != -ECANCELED) {
		if (exchange_refuse(ex, r) < 0)
			s->keep = false;
	} else if (r < 0) {
		s->keep = false;
	}
	if (ex->client_gone && ex->status == 0)
		ex->status = 499;
	if (s->out_length_known && s->out_left != 0)
		s->keep = false;
	if (s->keep && !s->upgraded && !h1_discard_body(s))
		s->keep = false;
}

/* A head arrived; serve it. */
static void
session_serve(struct session *s)
{
	struct exchange *ex = &s->ex;

	counters_here->requests++;
	counters_here->requests_in_flight++;
	ex->timeline.head_received = runtime_now();
	s->conn->request_count++;
	if (!ex->request.keep_alive || conn_leaving(s->conn))
		s->keep = false;
	h1_body_begin(s);
	session_settle(s, session_dispatch(s));
	session_log(s);
	counters_here->requests_in_flight--;
}

/* The head itself is at fault: there is little to answer to, and what follows
 * on the connection has no known meaning. */
static void
session_refuse_head(struct session *s, int error)
{
	struct exchange *ex = &s->ex;

	s->keep = false;
	ex->error = error;
	if (error == E_CLIENT_GONE || error == -ECANCELED)
		return;
	counters_here->requests_malformed++;
	http_head_init(&ex->request);
	ex->request.version = 11;
	ex->request.method = HTTP_METHOD_OTHER;
	ex->body_ended = true;
	ex->timeline.head_received = runtime_now();
	rate_meter_init(
	    &s->rate_out, ex->limits->min_rate, ex->limits->min_rate_grace);
	if (forwarded_read(ex, &s->conn->peer) == 0 &&
	    exchange_refuse(ex, error) == 0)
		session_log(s);
}

/* Returns 1 when the connection can take another request, 0 when it is to be
 * closed at once, -1 when closed with what the client still sends read. */
static int
session_exchange(struct session *s)
{
	bool drained;
	int r;

	session_exchange_init(s);
	s->out_length_known = false;
	s->out_left = 0;
	r = h1_read_head(s);
	if (r > 0)
		session_serve(s);
	else if (r < 0)
		session_refuse_head(s, r);
	else
		s->keep = false;
	drained = r > 0 ? s->ex.body_ended : r == 0;
	s->idle_timeout = s->ex.limits->idle_timeout;
	session_exchange_fini(s);
	if (s->keep)
		return 1;
	return drained || s->ex.client_gone || s->upgraded ? 0 : -1;
}

int
conn_session(void *arg)
{
	struct conn *conn = arg;
	struct session *s = session_acquire(conn);
	duration idle;
	int r;

	if (s == NULL) {
		log_error("http",
		    "no memory for a request; closing its "
		    "connection");
		conn_close(conn);
		return 0;
	}
	do {
		r = session_exchange(s);
	} while (r > 0 && h1_input_next(s));
	idle = s->idle_timeout;
	session_release(s);
	if (r > 0)
		conn_idle(conn, idle);
	else if (r == 0)
		conn_close(conn);
	else
		conn_close_lingering(conn);
	return 0;
}
