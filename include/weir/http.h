/*
 * weir/http.h - an HTTP/1.1 client: requests from tasks, answers as they come
 *
 * A client keeps connections alive between requests and belongs to the worker
 * that opened it; any number of its tasks may use it at once. http: only.
 */
#ifndef WEIR_HTTP_H
#define WEIR_HTTP_H

#include <sys/types.h>

#include <weir/api.h>
#include <weir/time.h>

WEIR_BEGIN

struct weir_http_client;
struct weir_http_response;

/* All zero is a good choice. */
struct weir_http_options {
	unsigned connections_max; /* at a time; 0: 64. Others wait. */
	unsigned idle_max; /* kept between requests; 0: 16 */
	int64_t idle_ns; /* and for how long; 0: 30 s */
	size_t head_max; /* bytes of an answer's head; 0: 16,384 */
	const char *user_agent; /* NULL: weir/VERSION */
	uint64_t reserved[4]; /* zero */
};

/* Returns 0 or -ENOMEM. @options may be NULL, and may go. */
WEIR_API WEIR_MUST_CHECK int
weir_http_open(const struct weir_http_options *options,
    struct weir_http_client **ret_client);
/* Every response has been closed before. */
WEIR_API void weir_http_close(struct weir_http_client *client);

struct weir_http_field {
	const char *name;
	const char *value;
};

/* All zero but for url is a GET. */
struct weir_http_request {
	const char *method; /* NULL: GET */
	const char *url; /* absolute */
	/* Host, Content-Length, Transfer-Encoding and Connection are made by
	 * the client; such fields are skipped. */
	const struct weir_http_field *fields;
	size_t field_count;
	const void *body; /* body_length bytes */
	size_t body_length;
	/*
	 * A body that is made as it is sent: returns the bytes put into @into
	 * (1 to @room), 0 at the end, or an error, which ends the request. May
	 * suspend. Sent as exactly body_length bytes, or, when that is 0, in
	 * chunks. When the server's answer comes before the body's end and is
	 * not a success (413, say), the rest is not asked for.
	 */
	ssize_t (*body_read)(void *user, void *into, size_t room);
	void *user;
	int redirects_max; /* followed; 0: 10; below 0: none */
	uint64_t reserved[4]; /* zero */
	char error[512]; /* written: what went wrong, as a sentence; or "" */
};

/*
 * Send @request and wait for the head of its answer. Suspends.
 *
 * Redirects are followed: with 303, and 301 or 302 after a POST, as a GET
 * without the body; a body from body_read is not sent again. Authorization,
 * Cookie and Proxy-Authorization do not go to another origin. A request that
 * may be repeated (GET, HEAD, PUT, DELETE, OPTIONS) is, once, when a kept
 * connection turns out to be closed.
 *
 * Returns 0 and an answer of any status; or, with request->error:
 * -EINVAL (URL, method, a field), -EPROTONOSUPPORT (https), -ELOOP (redirects),
 * -EBADMSG (not HTTP, or ambiguous, or more than 8 answers of 1xx),
 * -EMSGSIZE (a head over head_max), -ECONNRESET (closed before the answer),
 * -ETIMEDOUT, -ENOMEM, what body_read returned, or why the task was stopped.
 * The connection is made as by weir_dial(), whose errors these are: -ENOENT
 * (no such name), -EAGAIN (the name servers fail or are silent), those of
 * connect(2); then request->error names each address with its own.
 */
WEIR_API WEIR_MUST_CHECK int weir_http_fetch(struct weir_http_client *client,
    struct weir_http_request *request, struct weir_http_response **ret_response,
    weir_time deadline);

WEIR_API int weir_http_status(const struct weir_http_response *response);
/* The URL that answered, after redirects. */
WEIR_API const char *weir_http_url(const struct weir_http_response *response);
/* The value of the first field of that name, in any case; NULL: absent. It
 * stays until the response is closed. */
WEIR_API const char *
weir_http_field(const struct weir_http_response *response, const char *name);
/* The field at @index. False: there are no more. */
WEIR_API bool weir_http_field_at(const struct weir_http_response *response,
    size_t index, struct weir_http_field *ret_field);
/* Bytes of the body, as announced; -1: known at its end only. */
WEIR_API int64_t weir_http_length(const struct weir_http_response *response);

/*
 * The next bytes of the body, up to @length; 0 at its end. Suspends.
 * Returns also -EBADMSG (broken chunks), -ECONNRESET (it ended too early),
 * -ETIMEDOUT, or why the task was stopped.
 */
WEIR_API WEIR_MUST_CHECK ssize_t weir_http_read(
    struct weir_http_response *response, void *into, size_t length,
    weir_time deadline);
/*
 * The whole body, with a NUL behind it, to be freed with free(). Suspends.
 * Returns as weir_http_read(), -EMSGSIZE when it is longer than @max bytes,
 * -ENOMEM; then nothing is to be freed.
 */
WEIR_API WEIR_MUST_CHECK int
weir_http_read_all(struct weir_http_response *response, size_t max,
    char **ret_body, size_t *ret_length, weir_time deadline);

/* Its connection is kept when the body was read to its end. NULL is fine. */
WEIR_API void weir_http_response_close(struct weir_http_response *response);

WEIR_END

#endif
