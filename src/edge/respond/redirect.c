/*
 * redirect.c - a Location from a template and a request
 */
#include <errno.h>

#include "base/error.h"
#include "edge/respond/respond.h"

/* Where in the URL the next byte goes. */
enum redirect_part {
	REDIRECT_BEGIN, /* nothing but a scheme's name yet */
	REDIRECT_AUTHORITY,
	REDIRECT_REST, /* path, query or fragment */
};

struct redirect {
	const struct exchange *ex;
	struct appender *into;
	enum redirect_part part;
};

static bool
redirect_is_host(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || (c != '\0' && strchr(".-:[]", c) != NULL);
}

/* unreserved, reserved or the '%' of an escape (RFC 3986 §2). */
static bool
redirect_is_url(char c)
{
	return redirect_is_host(c) ||
	    (c != '\0' && strchr("_~/?#@!$&'()*+,;=%", c) != NULL);
}

static void
redirect_escape(struct appender *into, char c)
{
	static const char digits[] = "0123456789ABCDEF";

	append_char(into, '%');
	append_char(into, digits[(unsigned char)c >> 4]);
	append_char(into, digits[c & 15]);
}

/*
 * The part of the URL that @c, already appended, leads to. "//" or
 * "scheme://" begins an authority; one slash leaves that open, and what
 * follows it decides.
 */
static enum redirect_part
redirect_after(const struct redirect *redirect, char c)
{
	const struct appender *into = redirect->into;
	char before = into->length >= 2 ? into->at[into->length - 2] : '\0';

	if (redirect->part == REDIRECT_REST || into->overflowed)
		return redirect->part;
	if (c == '?' || c == '#')
		return REDIRECT_REST;
	if (redirect->part == REDIRECT_AUTHORITY)
		return c == '/' ? REDIRECT_REST : REDIRECT_AUTHORITY;
	if (before == '/')
		return c == '/' ? REDIRECT_AUTHORITY : REDIRECT_REST;
	if (c == '/' && before != '\0' && before != ':')
		return REDIRECT_REST;
	return REDIRECT_BEGIN;
}

/* Text of the template: the operator may write any URL. */
static void
redirect_literal(struct redirect *redirect, char c)
{
	if (redirect_is_url(c))
		append_char(redirect->into, c);
	else
		redirect_escape(redirect->into, c);
	redirect->part = redirect_after(redirect, c);
}

/* A client's slash behind the slash that begins the URL's path would make the
 * next bytes a host. */
static bool
redirect_would_leave(const struct redirect *redirect, char c)
{
	const struct appender *into = redirect->into;

	return redirect->part == REDIRECT_BEGIN && c == '/' &&
	    into->length != 0 && into->at[into->length - 1] == '/';
}

static void
redirect_value(struct redirect *redirect, struct bytes value)
{
	for (size_t i = 0; i < value.length; i++) {
		char c = value.at[i];
		bool ends = c == '/' || c == '?' || c == '#';

		if (redirect_would_leave(redirect, c))
			continue;
		if (redirect->part == REDIRECT_AUTHORITY
			? redirect_is_host(c) || ends
			: redirect_is_url(c))
			append_char(redirect->into, c);
		else
			redirect_escape(redirect->into, c);
		redirect->part = redirect_after(redirect, c);
	}
}

static void
redirect_host(struct redirect *redirect)
{
	struct bytes host = redirect->ex->request.host;
	bool bare = bytes_find(host, ':') != host.length && host.at[0] != '[';

	if (bare)
		append_char(redirect->into, '[');
	redirect_value(redirect, host);
	if (bare)
		append_char(redirect->into, ']');
}

static void
redirect_port(struct redirect *redirect)
{
	const struct exchange *ex = redirect->ex;
	unsigned port = ex->request.port;

	if (port == 0)
		port = bytes_equal(ex->scheme, BYTES("https")) ? 443 : 80;
	append_u64(redirect->into, port);
}

static void
redirect_uri(struct redirect *redirect)
{
	const struct http_head *request = &redirect->ex->request;

	redirect_value(redirect, request->path);
	if (request->query.at != NULL) {
		redirect_value(redirect, BYTES("?"));
		redirect_value(redirect, request->query);
	}
}

/* Whether @name is a placeholder; then its value was appended. */
static bool
redirect_placeholder(struct redirect *redirect, struct bytes name)
{
	const struct exchange *ex = redirect->ex;

	if (bytes_equal(name, BYTES("scheme")))
		redirect_value(redirect, ex->scheme);
	else if (bytes_equal(name, BYTES("host")))
		redirect_host(redirect);
	else if (bytes_equal(name, BYTES("port")))
		redirect_port(redirect);
	else if (bytes_equal(name, BYTES("path")))
		redirect_value(redirect, ex->request.path);
	else if (bytes_equal(name, BYTES("query")))
		redirect_value(redirect, ex->request.query);
	else if (bytes_equal(name, BYTES("uri")))
		redirect_uri(redirect);
	else if (name.length == 1 && name.at[0] >= '1' && name.at[0] <= '9')
		redirect_value(redirect, ex->captures[name.at[0] - '0']);
	else
		return false;
	return true;
}

int
redirect_expand(
    const struct exchange *ex, struct bytes to, struct appender *into)
{
	struct redirect redirect = {.ex = ex, .into = into};

	while (to.length != 0) {
		size_t end = bytes_find(to, '}');

		if (to.at[0] == '{' && end != to.length &&
		    redirect_placeholder(
			&redirect, bytes_of(to.at + 1, end - 1))) {
			to = bytes_skip(to, end + 1);
			continue;
		}
		redirect_literal(&redirect, to.at[0]);
		to = bytes_skip(to, 1);
	}
	return into->overflowed ? -ENAMETOOLONG : 0;
}

/* A page for people whose client does not follow (RFC 9110 §15.4). The URL
 * holds no character that HTML minds but '&' and '\''. */
static struct bytes
redirect_page(struct exchange *ex, struct bytes location)
{
	struct bytes reason = http_status_reason(ex->route->redirect->status);
	size_t capacity = 6 * location.length + 256;
	char *memory = arena_alloc(&ex->arena, capacity);
	struct appender page = appender_over(memory, capacity);

	if (memory == NULL)
		return bytes_of(NULL, 0);
	append_literal(&page, "<!doctype html>\n<html lang=en><title>");
	append_bytes(&page, reason);
	append_literal(&page, "</title>\n<p>See <a href=\"");
	for (size_t i = 0; i < location.length; i++) {
		if (location.at[i] == '&')
			append_literal(&page, "&amp;");
		else
			append_char(&page, location.at[i]);
	}
	append_literal(&page, "\">the other address</a>.\n");
	must(!page.overflowed);
	return appender_bytes(&page);
}

SUSPENDS
static int
redirect_handle(struct exchange *ex)
{
	const struct config_redirect *config = ex->route->redirect;
	char *memory = arena_alloc(&ex->arena, REDIRECT_BYTES);
	struct appender location = appender_over(memory, REDIRECT_BYTES);
	struct bytes page;
	int r;

	if (memory == NULL)
		return -ENOMEM;
	r = redirect_expand(ex, config->to, &location);
	if (r < 0)
		return E_URL_TOO_LONG;
	page = redirect_page(ex, appender_bytes(&location));
	if (page.at == NULL)
		return -ENOMEM;
	r = http_head_add(
	    &ex->response, FIELD_LOCATION, appender_bytes(&location));
	if (r == 0)
		r = http_head_add(&ex->response, FIELD_CONTENT_TYPE,
		    BYTES("text/html; charset=utf-8"));
	if (r < 0)
		return r;
	ex->response.status = config->status;
	return exchange_respond(ex, page);
}

const struct feature redirect_feature = {
    .action = ACTION_REDIRECT,
    .handle = redirect_handle,
};
