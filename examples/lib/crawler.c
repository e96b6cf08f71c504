/*
 * crawler.c - many pages at once, in the shape of reading one
 *
 *   cc crawler.c $(pkg-config --cflags --libs weir)
 *
 * A task for each page, a scope for all: four connections at a time, however
 * many pages are found. The site is a small server of our own in the same
 * program, in push form, so that the example talks to nobody else.
 */
#include <weir/weir.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 10

/* ---- the site: page N links to 2N and 2N + 1 ---- */

static const struct weir_framing lines = {.kind = WEIR_FRAME_LINE};

static int
site_line(struct weir_transport *transport, const struct weir_frame *line)
{
	char text[64], page[256], answer[512];
	int n, length = 0;

	snprintf(text, sizeof(text), "%.*s", (int)line->length,
	    (const char *)line->data);
	if (sscanf(text, "GET /%d HTTP", &n) == 1)
		weir_transport_user_set(transport, (void *)(intptr_t)n);
	if (line->length > 0) /* The empty line ends a request. */
		return 0;
	n = (int)(intptr_t)weir_transport_user(transport);
	for (int next = 2 * n; next <= 2 * n + 1 && next <= PAGES; next++)
		length += snprintf(page + length, sizeof(page) - (size_t)length,
		    "<a href=\"/%d\">next</a>\n", next);
	length = snprintf(answer, sizeof(answer),
	    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%.*s", length, length,
	    page);
	return weir_transport_write(transport, answer, (size_t)length);
}

static int
site(void *listener)
{
	static const struct weir_protocol protocol = {
	    .name = "site", .framing = &lines, .frame = site_line};

	return weir_protocol_serve(listener, &protocol, NULL, 0);
}

/* ---- the crawler ---- */

static struct weir_http_client *client;
static struct weir_scope crawl;
static bool seen[PAGES + 1];
static unsigned short port;
static int page_count;

static int crawl_page(void *arg);

static void
crawl_links(const char *body)
{
	int next;

	while ((body = strstr(body, "href=\"/")) != NULL) {
		body += 7;
		next = (int)strtol(body, NULL, 10);
		if (next < 1 || next > PAGES || seen[next])
			continue;
		seen[next] = true;
		if (weir_task_start(
			&crawl, "page", crawl_page, (void *)(intptr_t)next) < 0)
			fprintf(stderr, "page %d is left out\n", next);
	}
}

static int
crawl_page(void *arg)
{
	struct weir_http_request request = {0};
	struct weir_http_response *response;
	weir_time until = weir_after(5 * WEIR_SECOND);
	size_t length;
	char url[64];
	char *body;
	int error;

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/%d", port,
	    (int)(intptr_t)arg);
	request.url = url;
	error = weir_http_fetch(client, &request, &response, until);
	if (error < 0) {
		fprintf(stderr, "%s: %s\n", url, request.error);
		return error;
	}
	error = weir_http_read_all(response, 65536, &body, &length, until);
	weir_http_response_close(response);
	if (error < 0)
		return error;
	page_count++;
	crawl_links(body);
	free(body);
	return 0;
}

static int
root(void *arg)
{
	const struct weir_http_options four = {.connections_max = 4};
	struct weir_address address;
	struct weir_scope server;
	struct weir_io listener;
	int error;

	(void)arg;
	if (weir_address_parse("127.0.0.1:0", &address) < 0 ||
	    weir_listen(&listener, &address, NULL) < 0 ||
	    weir_local_address(&listener, &address) < 0 ||
	    weir_http_open(&four, &client) < 0)
		return -1;
	port = weir_address_port(&address);
	weir_scope_init(&server, WEIR_NEVER);
	weir_scope_init(&crawl, WEIR_NEVER);
	error = weir_task_start(&server, "site", site, &listener);
	if (error == 0)
		crawl_links("href=\"/1\"");
	if (error == 0)
		error = weir_scope_wait(&crawl);
	weir_scope_fini(&crawl);
	printf("%d pages\n", page_count);
	weir_http_close(client);
	/* The listener lies on this stack: its server ends before we do. */
	weir_scope_fini(&server);
	weir_io_close(&listener);
	return error;
}

int
main(void)
{
	struct weir_options options = {.worker_count = 1};

	return weir_run(&options, root, NULL) != 0;
}
