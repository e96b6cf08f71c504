/*
 * http1_parse.c - what one head costs: nanoseconds to parse, to parse when it
 * comes in two halves, and to write again
 *
 *	ninja -C build bench/bench-http1-parse && build/bench/bench-http1-parse
 *
 * Each figure is the best of ROUNDS rounds: what disturbs only adds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "wire/http1.h"

#define ROUNDS 400
#define TURNS  1000

struct sample {
	const char *name;
	bool response;
	struct bytes text;
};

static const struct sample samples[] = {
    {"wrk", false,
	BYTES("GET /index.html HTTP/1.1\r\n"
	      "Host: 127.0.0.1:8080\r\n\r\n")},
    {"curl", false,
	BYTES("GET /api/v1/items?limit=20 HTTP/1.1\r\n"
	      "Host: shop.example.com\r\n"
	      "User-Agent: curl/8.5.0\r\n"
	      "Accept: */*\r\n\r\n")},
    {"client", false,
	BYTES("POST /api/v1/orders HTTP/1.1\r\n"
	      "Host: shop.example.com\r\n"
	      "User-Agent: python-requests/2.31.0\r\n"
	      "Accept-Encoding: gzip, deflate\r\n"
	      "Accept: */*\r\n"
	      "Connection: keep-alive\r\n"
	      "Content-Type: application/json\r\n"
	      "X-Request-ID: 5f2b9c1e7a3d4e60\r\n"
	      "Content-Length: 348\r\n\r\n")},
    {"browser", false,
	BYTES("GET /assets/app.3f9c2d.js HTTP/1.1\r\n"
	      "Host: www.example.com\r\n"
	      "Connection: keep-alive\r\n"
	      "sec-ch-ua: \"Chromium\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\n"
	      "sec-ch-ua-mobile: ?0\r\n"
	      "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 "
	      "(KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36\r\n"
	      "sec-ch-ua-platform: \"Linux\"\r\n"
	      "Accept: */*\r\n"
	      "Sec-Fetch-Site: same-origin\r\n"
	      "Sec-Fetch-Mode: no-cors\r\n"
	      "Sec-Fetch-Dest: script\r\n"
	      "Referer: https://www.example.com/shop/\r\n"
	      "Accept-Encoding: gzip, deflate, br, zstd\r\n"
	      "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
	      "Cookie: session=8c0f2a7be41d4f0a9d77; theme=dark; "
	      "consent=1\r\n\r\n")},
    {"answer", true,
	BYTES("HTTP/1.1 200 OK\r\n"
	      "Server: nginx/1.22.1\r\n"
	      "Date: Tue, 24 Nov 2026 15:32:00 GMT\r\n"
	      "Content-Type: text/html\r\n"
	      "Content-Length: 200\r\n"
	      "Last-Modified: Mon, 23 Nov 2026 10:00:00 GMT\r\n"
	      "Connection: keep-alive\r\n"
	      "ETag: \"65f1c2a0-c8\"\r\n"
	      "Accept-Ranges: bytes\r\n\r\n")},
};

static const struct http1_limits limits = {
    .line_bytes = 8192, .head_bytes = 32768, .field_count = 100};

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static ssize_t
parse(const struct sample *sample, struct http1_scan *scan, char *buffer,
    size_t length, struct http_head *head)
{
	if (sample->response)
		return http1_parse_response(
		    scan, buffer, length, &limits, HTTP_GET, head);
	return http1_parse_request(scan, buffer, length, &limits, head);
}

static void
turn_parse(const struct sample *sample, char *buffer, struct http_head *head)
{
	struct http1_scan scan = {0};

	if (parse(sample, &scan, buffer, sample->text.length, head) !=
	    (ssize_t)sample->text.length)
		abort();
}

static void
turn_halves(const struct sample *sample, char *buffer, struct http_head *head)
{
	struct http1_scan scan = {0};

	if (parse(sample, &scan, buffer, sample->text.length / 2, head) >= 0 ||
	    parse(sample, &scan, buffer, sample->text.length, head) < 0)
		abort();
}

static void
turn_write(const struct sample *sample, char *buffer, struct http_head *head)
{
	char text[2048];
	struct appender into = appender_over(text, sizeof(text));

	if (sample->response)
		http1_write_response(&into, head);
	else
		http1_write_request(&into, head);
	if (into.overflowed)
		abort();
}

static double
best_ns(const struct sample *sample,
    void (*turn)(const struct sample *, char *, struct http_head *))
{
	static struct http_head head;
	char buffer[2048];
	int64_t best = INT64_MAX;

	memcpy(buffer, sample->text.at, sample->text.length);
	turn_parse(sample, buffer, &head);
	for (unsigned round = 0; round < ROUNDS; round++) {
		int64_t start = now_ns();

		for (unsigned i = 0; i < TURNS; i++)
			turn(sample, buffer, &head);
		best = min_of(best, now_ns() - start);
	}
	return (double)best / TURNS;
}

int
main(void)
{
	printf("%-8s %6s %8s %8s %8s   ns per head\n", "head", "bytes", "parse",
	    "halves", "write");
	for (size_t i = 0; i < array_count(samples); i++) {
		const struct sample *s = &samples[i];

		printf("%-8s %6zu %8.1f %8.1f %8.1f\n", s->name, s->text.length,
		    best_ns(s, turn_parse), best_ns(s, turn_halves),
		    best_ns(s, turn_write));
	}
	return 0;
}
