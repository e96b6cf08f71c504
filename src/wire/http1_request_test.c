/*
 * http1_request_test.c - requests accepted and refused, each cut in every way
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "wire/http1_case.h"

#define H "Host: a\r\n"

static const struct case_call request_call = {
    .kind = CASE_REQUEST, .limits = &case_limits};

static void
request_line(void **state)
{
	static const struct case_row rows[] = {
	    OK("GET / HTTP/1.1\r\n" H "\r\n",
		"GET / ?- @a:0 11 none 0 keep [Host=a]"),
	    OK("\r\nGET / HTTP/1.1\r\n" H "\r\n",
		"GET / ?- @a:0 11 none 0 keep [Host=a]"),
	    OK("GET / HTTP/1.0\r\n\r\n", "GET / ?- @-:0 10 none 0"),
	    OK("M-SEARCH /?a=b?c[]={\"|} HTTP/1.1\r\n" H "\r\n",
		"M-SEARCH / ?a=b?c[]={\"|} @a:0 11 none 0 keep [Host=a]"),
	    OK("get /? HTTP/1.1\r\n" H "\r\n",
		"get / ? @a:0 11 none 0 keep [Host=a]"),
	    OK("ABCDEFGHIJKLMNOPQRSTUVWXYZ123456 / HTTP/1.1\r\n" H "\r\n",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ123456 / ?- @a:0 11 none 0 keep "
		"[Host=a]"),
	    NO("ABCDEFGHIJKLMNOPQRSTUVWXYZ1234567", E_H1_BAD_METHOD),
	    NO("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", E_H1_BAD_LINE),
	    NO("\nGET / HTTP/1.1\r\n" H "\r\n", E_H1_BARE_LF),
	    NO("\rGET / HTTP/1.1\r\n" H "\r\n", E_H1_BARE_CR),
	    NO(" GET", E_H1_BAD_METHOD),
	    NO("G@T", E_H1_BAD_METHOD),
	    NO("GET\t", E_H1_BAD_METHOD),
	    NO("\x16", E_H1_BAD_METHOD),
	    NO("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", E_H1_BAD_METHOD),
	    NO("\x80", E_H1_BAD_METHOD),
	    NO("\0", E_H1_BAD_METHOD),
	    NO("GET\r\n", E_H1_BAD_LINE),
	    NO("GET \r\n", E_H1_BAD_LINE),
	    NO("GET /\r\n", E_H1_BAD_LINE),
	    NO("GET / \r\n", E_H1_BAD_LINE),
	    NO("GET  / HTTP/1.1\r\n", E_H1_BAD_LINE),
	    NO("GET /  HTTP/1.1\r\n", E_H1_BAD_LINE),
	    NO("GET / HTTP/1.1 \r\n", E_H1_BAD_LINE),
	    NO("GET /a b HTTP/1.1\r\n", E_H1_BAD_LINE),
	    NO("GET /\tHTTP/1.1\r\n", E_URL_BAD_CHAR),
	    NO("GET / HTTP/1.1\n", E_H1_BARE_LF),
	    NO("GET /\rHTTP/1.1\r\n", E_H1_BARE_CR),
	    NO("GET /\x01", E_URL_BAD_CHAR),
	    NO("GET /\x7f", E_URL_BAD_CHAR),
	    NO("GET / H\x01", E_H1_BAD_LINE),
	    NO("GET /\xc3\xa9 HTTP/1.1\r\n", E_URL_BAD_CHAR),
	    NO("GET /?\xc3\xa9 HTTP/1.1\r\n", E_URL_BAD_CHAR),
	    NO("GET /#f HTTP/1.1\r\n", E_URL_BAD_CHAR),
	    NO("GET / HTTP/1.2\r\n", E_H1_BAD_VERSION),
	    NO("GET / HTTP/0.9\r\n", E_H1_BAD_VERSION),
	    NO("GET / HTTP/1.10\r\n", E_H1_BAD_VERSION),
	    NO("GET / HTTP/01.1\r\n", E_H1_BAD_VERSION),
	    NO("GET / http/1.1\r\n", E_H1_BAD_VERSION),
	    NO("GET / HTTP1.1\r\n", E_H1_BAD_VERSION),
	    NO("GET / ICE/1.0\r\n", E_H1_BAD_VERSION),
	    NO("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", E_H1_BAD_VERSION),
	};

	CASE_ROWS(&request_call, rows);
}

static void
request_target(void **state)
{
	static const struct case_row rows[] = {
	    OK("GET /b/../c/%7e%2a//d/. HTTP/1.1\r\n" H "\r\n",
		"GET /c/~%2A/d/ ?- @a:0 11 none 0 keep [Host=a]"),
	    OK("GET http://A.Example./x/../y?z HTTP/1.1\r\n"
	       "Host: a.example:80\r\n\r\n",
		"GET /y ?z @a.example:0 11 none 0 keep [Host=a.example:80]"),
	    OK("GET http://a HTTP/1.1\r\n" H "\r\n",
		"GET / ?- @a:0 11 none 0 keep [Host=a]"),
	    OK("GET HTTPS://a:443?q HTTP/1.1\r\n" H "\r\n",
		"GET / ?q @a:443 11 none 0 keep [Host=a]"),
	    OK("GET http://[2001:DB8::1]:8080/ HTTP/1.0\r\n\r\n",
		"GET / ?- @2001:db8::1:8080 10 none 0"),
	    OK("OPTIONS * HTTP/1.1\r\n" H "\r\n",
		"OPTIONS * ?- @a:0 11 none 0 keep [Host=a]"),
	    OK("OPTIONS http://a HTTP/1.1\r\n" H "\r\n",
		"OPTIONS * ?- @a:0 11 none 0 keep [Host=a]"),
	    OK("OPTIONS http://a? HTTP/1.1\r\n" H "\r\n",
		"OPTIONS / ? @a:0 11 none 0 keep [Host=a]"),
	    OK("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b\r\n\r\n",
		"CONNECT  ?- @a.b:443 11 none 0 keep [Host=a.b]"),
	    OK("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n",
		"CONNECT  ?- @::1:443 11 none 0 keep [Host=[::1]:443]"),
	    OK("GET //evil.example/ HTTP/1.1\r\n" H "\r\n",
		"GET /evil.example/ ?- @a:0 11 none 0 keep [Host=a]"),
	    NO("GET a HTTP/1.1\r\n" H "\r\n", E_URL_BAD_FORM),
	    NO("GET * HTTP/1.1\r\n" H "\r\n", E_URL_BAD_FORM),
	    NO("OPTIONS ** HTTP/1.1\r\n" H "\r\n", E_URL_BAD_FORM),
	    NO("GET a:80 HTTP/1.1\r\n" H "\r\n", E_URL_BAD_FORM),
	    NO("GET ftp://a/ HTTP/1.1\r\n" H "\r\n", E_URL_BAD_FORM),
	    NO("GET http:/a HTTP/1.1\r\n" H "\r\n", E_URL_BAD_FORM),
	    NO("GET http:// HTTP/1.1\r\n" H "\r\n", E_URL_BAD_FORM),
	    NO("GET http:///x HTTP/1.1\r\n" H "\r\n", E_URL_BAD_AUTHORITY),
	    NO("GET http://u@a/ HTTP/1.1\r\n" H "\r\n", E_URL_BAD_AUTHORITY),
	    NO("GET http://a:x/ HTTP/1.1\r\n" H "\r\n", E_URL_BAD_AUTHORITY),
	    NO("GET http://a\\b/ HTTP/1.1\r\n" H "\r\n", E_URL_BAD_AUTHORITY),
	    NO("CONNECT / HTTP/1.1\r\n" H "\r\n", E_URL_BAD_AUTHORITY),
	    NO("CONNECT a HTTP/1.1\r\n" H "\r\n", E_URL_BAD_AUTHORITY),
	    NO("CONNECT a:443/x HTTP/1.1\r\n" H "\r\n", E_URL_BAD_AUTHORITY),
	    NO("CONNECT u@a:443 HTTP/1.1\r\n" H "\r\n", E_URL_BAD_AUTHORITY),
	    NO("GET /.. HTTP/1.1\r\n" H "\r\n", E_URL_ABOVE_ROOT),
	    NO("GET /%2e%2e/x HTTP/1.1\r\n" H "\r\n", E_URL_ABOVE_ROOT),
	    NO("GET /a%2fb HTTP/1.1\r\n" H "\r\n", E_URL_ESCAPED_SLASH),
	    NO("GET /a%00 HTTP/1.1\r\n" H "\r\n", E_URL_NUL),
	    NO("GET /a%0 HTTP/1.1\r\n" H "\r\n", E_URL_BAD_ESCAPE),
	    NO("GET /a\\b HTTP/1.1\r\n" H "\r\n", E_URL_ESCAPED_SLASH),
	    NO("GET /a/..;/b HTTP/1.1\r\n" H "\r\n", E_URL_DOT_PARAMETERS),
	};

	CASE_ROWS(&request_call, rows);
}

#define G "GET / HTTP/1.1\r\n"

static void
request_host(void **state)
{
	static const struct case_row rows[] = {
	    OK(G "Host: WWW.Example.COM.:8080\r\n\r\n",
		"GET / ?- @www.example.com:8080 11 none 0 keep "
		"[Host=www.example.com.:8080]"),
	    OK(G "hOST:\t [::1]:1 \t\r\n\r\n",
		"GET / ?- @::1:1 11 none 0 keep [hOST=[::1]:1]"),
	    OK(G "Host: 10.0.0.1\r\n\r\n",
		"GET / ?- @10.0.0.1:0 11 none 0 keep [Host=10.0.0.1]"),
	    OK("GET / HTTP/1.0\r\n" H "\r\n",
		"GET / ?- @a:0 10 none 0 [Host=a]"),
	    NO(G "\r\n", E_H1_BAD_HOST),
	    NO(G "X: y\r\n\r\n", E_H1_BAD_HOST),
	    NO(G H H "\r\n", E_H1_BAD_HOST),
	    NO("GET / HTTP/1.0\r\n" H "host: a\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host:\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: a b\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: a, b\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: a/b\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: u@a\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: a..b\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: .\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: a%61\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: a:\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: a:0\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: a:65536\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: a:+1\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: [::1\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: [::1]x\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: [::1%eth0]\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: ::1\r\n\r\n", E_H1_BAD_HOST),
	    NO(G "Host: \xc3\xa9\r\n\r\n", E_H1_BAD_HOST),
	    NO("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", E_H1_HOST_MISMATCH),
	    NO("GET http://a/ HTTP/1.1\r\nHost: a:81\r\n\r\n",
		E_H1_HOST_MISMATCH),
	    NO("GET https://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n",
		E_H1_HOST_MISMATCH),
	    NO("GET http://a/ HTTP/1.1\r\n\r\n", E_H1_BAD_HOST),
	    NO("CONNECT a:443 HTTP/1.1\r\nHost: b\r\n\r\n", E_H1_HOST_MISMATCH),
	    NO("CONNECT a:443 HTTP/1.1\r\nHost: a:80\r\n\r\n",
		E_H1_HOST_MISMATCH),
	};

	CASE_ROWS(&request_call, rows);
}

static void
request_fields(void **state)
{
	static const struct case_row rows[] = {
	    OK(G H "X:\r\nY: \t \r\nZ:a\t b \xe9\r\n\r\n",
		"GET / ?- @a:0 11 none 0 keep [Host=a] [X~] [Y~] "
		"[Z~a\t b \xe9]"),
	    OK(G H "a_b: 1\r\n!#$%&'*+-.^_`|~: 2\r\n\r\n",
		"GET / ?- @a:0 11 none 0 keep [Host=a] [a_b~1] "
		"[!#$%&'*+-.^_`|~~2]"),
	    OK(G H "X: a:b\r\n\r\nrest",
		"GET / ?- @a:0 11 none 0 keep [Host=a] [X~a:b]"),
	    NO(G " Host: a\r\n\r\n", E_H1_FOLDED),
	    NO(G H " x\r\n\r\n", E_H1_FOLDED),
	    NO(G H "\tx: y\r\n\r\n", E_H1_FOLDED),
	    NO(G H " \r\n\r\n", E_H1_FOLDED),
	    NO(G "Host : a\r\n\r\n", E_H1_BAD_NAME),
	    NO(G "Host\t: a\r\n\r\n", E_H1_BAD_NAME),
	    NO(G ":a\r\n\r\n", E_H1_BAD_NAME),
	    NO(G "a\r\n\r\n", E_H1_BAD_NAME),
	    NO(G "X@Y", E_H1_BAD_NAME),
	    NO(G "X(", E_H1_BAD_NAME),
	    NO(G "\"X\": y\r\n", E_H1_BAD_NAME),
	    NO(G "X\0: y\r\n", E_H1_BAD_NAME),
	    NO(G "X\xe9: y\r\n", E_H1_BAD_NAME),
	    NO(G "GET / HTTP/1.1\r\n" H "\r\n", E_H1_BAD_NAME),
	    NO(G "X: \0", E_H1_BAD_VALUE),
	    NO(G "X: a\x01", E_H1_BAD_VALUE),
	    NO(G "X: a\x1f", E_H1_BAD_VALUE),
	    NO(G "X: a\x7f", E_H1_BAD_VALUE),
	    NO(G "X: y\n", E_H1_BARE_LF),
	    NO(G "X: y\rz", E_H1_BARE_CR),
	    NO(G "X: y\r\r\n", E_H1_BARE_CR),
	    NO(G H "\n", E_H1_BARE_LF),
	    NO(G H "\r\r\n", E_H1_BARE_CR),
	    NO(G H "Content_Length: 3\r\n", E_H1_BAD_NAME),
	    NO(G H "transfer_encoding: chunked\r\n", E_H1_BAD_NAME),
	    NO(G H "X-Forwarded_For: 1\r\n", E_H1_BAD_NAME),
	    NO(G "Bad Name: 1\r\nX: y\n", E_H1_BAD_NAME),
	    NO(G "X: y\n\r\nBad Name: 1\r\n", E_H1_BARE_LF),
	};

	CASE_ROWS(&request_call, rows);
}

#define P    "POST / HTTP/1.1\r\n" H
#define P10  "POST / HTTP/1.0\r\n"
#define SAID "POST / ?- @a:0 11 "
#define CL   "Content-Length: "
#define TE   "Transfer-Encoding: "

static void
request_framing(void **state)
{
	static const struct case_row rows[] = {
	    OK(P CL "0\r\n\r\n",
		SAID "length 0 keep [Host=a] [Content-Length=0]"),
	    OK(P "cONTENT-lENGTH:0012\t\r\n\r\n",
		SAID "length 12 keep [Host=a] [cONTENT-lENGTH=0012]"),
	    OK(P CL "9223372036854775807\r\n\r\n",
		SAID "length 9223372036854775807 keep [Host=a] "
		     "[Content-Length=9223372036854775807]"),
	    OK(P TE "chunked\r\n\r\n",
		SAID "chunked 0 keep [Host=a] [Transfer-Encoding=chunked]"),
	    OK(P TE "CHUNKED \r\n\r\n",
		SAID "chunked 0 keep [Host=a] [Transfer-Encoding=CHUNKED]"),
	    OK(P10 CL "1\r\n\r\n",
		"POST / ?- @-:0 10 length 1 [Content-Length=1]"),
	    OK(P "\r\n", SAID "none 0 keep [Host=a]"),
	    NO(P CL "\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "x\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "+1\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "-1\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "0x1\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "1 1\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "1,1\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "1.0\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "9223372036854775808\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "18446744073709551617\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "1\r\n" CL "1\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "1\r\n" CL "2\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(P CL "1\r\n" TE "chunked\r\n\r\n", E_H1_LENGTH_AND_CHUNKED),
	    NO(P TE "chunked\r\n" CL "1\r\n\r\n", E_H1_LENGTH_AND_CHUNKED),
	    NO(P TE "identity\r\n" CL "1\r\n\r\n", E_H1_LENGTH_AND_CHUNKED),
	    NO(P TE "identity\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE "\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE "gzip, chunked\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE "chunked, gzip\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE "chunked, chunked\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE "chunked;q=1\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE ",chunked\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE "\"chunked\"\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE "xchunked\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE "chunked\xa0\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE "chunked\x0b\r\n\r\n", E_H1_BAD_VALUE),
	    NO(P TE "chunked\r\n" TE "chunked\r\n\r\n", E_H1_BAD_CODING),
	    NO(P TE "gzip\r\n" TE "chunked\r\n\r\n", E_H1_BAD_CODING),
	    NO(P10 TE "chunked\r\n\r\n", E_H1_CODING_IN_10),
	    NO(P10 TE "chunked\r\n" CL "1\r\n\r\n", E_H1_CODING_IN_10),
	};

	CASE_ROWS(&request_call, rows);
}

static void
request_connection(void **state)
{
	static const struct case_row rows[] = {
	    OK(G H "Connection: close\r\n\r\n",
		"GET / ?- @a:0 11 none 0 [Host=a] [Connection=close]"),
	    OK(G H "Connection: foo ,,\tClOsE\r\n\r\n",
		"GET / ?- @a:0 11 none 0 [Host=a] "
		"[Connection=foo ,,\tClOsE]"),
	    OK(G H "Connection: keep-alive\r\nConnection: close\r\n\r\n",
		"GET / ?- @a:0 11 none 0 [Host=a] [Connection=keep-alive] "
		"[Connection=close]"),
	    OK("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
		"GET / ?- @-:0 10 none 0 keep [Connection=Keep-Alive]"),
	    OK("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
		"GET / ?- @-:0 10 none 0 [Connection=keep-alive, close]"),
	    OK(G H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"GET / ?- @a:0 11 none 0 keep upgrade [Host=a] "
		"[Connection=Upgrade] [Upgrade=websocket]"),
	    OK(G H "Upgrade: websocket\r\n\r\n",
		"GET / ?- @a:0 11 none 0 keep [Host=a] "
		"[Upgrade=websocket]"),
	    OK("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"GET / ?- @-:0 10 none 0 [Connection=upgrade] "
		"[Upgrade=x]"),
	    OK(G H "TE: gzip;q=1, Trailers\r\n\r\n",
		"GET / ?- @a:0 11 none 0 keep te [Host=a] "
		"[TE=gzip;q=1, Trailers]"),
	    OK(G H "TE: x\r\n\r\n",
		"GET / ?- @a:0 11 none 0 keep [Host=a] [TE=x]"),
	    OK(P CL "1\r\nExpect: 100-Continue\r\n\r\n",
		SAID "length 1 keep expect [Host=a] [Content-Length=1] "
		     "[Expect=100-Continue]"),
	    OK(P CL "0\r\nExpect: 100-continue\r\n\r\n",
		SAID "length 0 keep [Host=a] [Content-Length=0] "
		     "[Expect=100-continue]"),
	    OK(P10 CL "1\r\nExpect: x\r\n\r\n",
		"POST / ?- @-:0 10 length 1 [Content-Length=1] "
		"[Expect=x]"),
	    NO(P CL "1\r\nExpect: x\r\n\r\n", E_H1_BAD_EXPECT),
	    NO(P CL "1\r\nExpect:\r\n\r\n", E_H1_BAD_EXPECT),
	    NO(P CL "1\r\nExpect: 100-continue, x\r\n\r\n", E_H1_BAD_EXPECT),
	    NO(P CL "1\r\nExpect: 100-continue\r\n"
		    "Expect: 100-continue\r\n\r\n",
		E_H1_BAD_EXPECT),
	};

	CASE_ROWS(&request_call, rows);
}

/* The message of @unit @count times between @before and @after. */
static struct bytes
repeat(const char *before, const char *unit, size_t count, const char *after)
{
	static char memory[200000];
	struct appender a = appender_over(memory, sizeof(memory));

	append_text(&a, before);
	while (count-- > 0)
		append_text(&a, unit);
	append_text(&a, after);
	assert_false(a.overflowed);
	return appender_bytes(&a);
}

static ssize_t
limited(struct bytes text, const struct http1_limits *limits)
{
	struct case_call call = {.kind = CASE_REQUEST, .limits = limits};
	char memory[CASE_SAID_BYTES];
	struct appender said = appender_over(memory, sizeof(memory));
	bool same;
	ssize_t taken = case_run(&call, text, &said, &same);

	assert_true(same);
	return taken;
}

static void
request_limits(void **state)
{
	const struct http1_limits *l = &case_limits;
	struct http1_limits exact = case_limits;
	struct bytes text;

	/* "GET /", " HTTP/1.1" are 14 bytes. */
	text =
	    repeat("GET /", "x", l->line_bytes - 14, " HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(limited(text, l), text.length);
	text =
	    repeat("GET /", "x", l->line_bytes - 13, " HTTP/1.1\r\n" H "\r\n");
	assert_int_equal(limited(text, l), E_H1_LINE_TOO_LONG);
	text = repeat("GET /", "x", l->line_bytes - 5, "");
	assert_int_equal(limited(text, l), -EAGAIN);
	text = repeat("GET /", "x", l->line_bytes - 4, "");
	assert_int_equal(limited(text, l), E_H1_LINE_TOO_LONG);

	text = repeat(G H, "X: y\r\n", l->field_count - 1, "\r\n");
	assert_int_equal(limited(text, l), text.length);
	exact.head_bytes = (uint32_t)text.length;
	assert_int_equal(limited(text, &exact), text.length);
	exact.head_bytes--;
	assert_int_equal(limited(text, &exact), E_H1_HEAD_TOO_LARGE);
	text = repeat(G H, "X: y\r\n", l->field_count - 1, "X");
	assert_int_equal(limited(text, l), E_H1_TOO_MANY_FIELDS);

	text = repeat(G H, "X: y\r\n", l->field_count, "\r\n");
	assert_int_equal(limited(text, l), E_H1_TOO_MANY_FIELDS);
	exact.head_bytes = 8000;
	text = repeat(G H, "X:\r\n", 1000, "\r\n");
	assert_int_equal(limited(text, &exact), E_H1_TOO_MANY_FIELDS);
	exact.field_count = HTTP_FIELDS_MAX;
	assert_int_equal(limited(text, &exact), E_H1_TOO_MANY_FIELDS);

	text = repeat(G "X: ", "y", l->head_bytes, "");
	assert_int_equal(limited(text, l), E_H1_HEAD_TOO_LARGE);
	text = repeat(G, "n", 255, ": v\r\n" H "\r\n");
	assert_int_equal(limited(text, l), text.length);
	text = repeat(G, "n", 256, "");
	assert_int_equal(limited(text, l), E_H1_BAD_NAME);

	exact.line_bytes = exact.head_bytes = 20;
	text = repeat("GET /", "x", 15, "");
	assert_int_equal(limited(text, &exact), E_H1_HEAD_TOO_LARGE);
}

/* A head of @count fields of 60,000 bytes would do; one is enough. */
static void
request_value_length(void **state)
{
	static const struct http1_limits wide = {
	    .line_bytes = 8192, .head_bytes = 150000, .field_count = 128};
	static struct http_head head;
	struct http1_scan scan = {0};
	struct bytes text = repeat(G H "X: ", "y", 65535, "\r\n\r\n");

	assert_int_equal(http1_parse_request(&scan, (char *)(uintptr_t)text.at,
			     text.length, &wide, &head),
	    text.length);
	assert_int_equal(head.fields[1].value_length, 65535);
	text = repeat(G H "X: ", "y", 65536, "\r\n\r\n");
	scan = (struct http1_scan){0};
	assert_int_equal(http1_parse_request(&scan, (char *)(uintptr_t)text.at,
			     text.length, &wide, &head),
	    E_H1_HEAD_TOO_LARGE);
}

/* The target stays one run that says the same as path and query. */
static void
request_target_moves(void **state)
{
	char text[] = "GET http://A/b/../c?d HTTP/1.1\r\nHost: a\r\n\r\n";
	struct http1_scan scan = {0};
	struct http_head head;

	assert_int_equal(http1_parse_request(&scan, text, sizeof(text) - 1,
			     &case_limits, &head),
	    sizeof(text) - 1);
	assert_true(bytes_equal(head.target, BYTES("http://a/c?d")));
	assert_true(bytes_equal(head.authority, BYTES("a")));
	assert_ptr_equal(head.path.at, head.target.at + 8);
	assert_ptr_equal(head.query.at, head.target.at + 11);
}

/* An error leaves no field of the refused message in the head. */
static void
request_error_empties(void **state)
{
	char text[] = "GET / HTTP/1.1\r\nX: y\r\n\r\n";
	struct http1_scan scan = {0};
	struct http_head head;

	memset(&head, 0x5a, sizeof(head));
	assert_int_equal(http1_parse_request(&scan, text, sizeof(text) - 1,
			     &case_limits, &head),
	    E_H1_BAD_HOST);
	assert_int_equal(head.field_count, 0);
	assert_int_equal(head.present, 0);
	assert_null(head.path.at);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(request_line),
	    cmocka_unit_test(request_target),
	    cmocka_unit_test(request_host),
	    cmocka_unit_test(request_fields),
	    cmocka_unit_test(request_framing),
	    cmocka_unit_test(request_connection),
	    cmocka_unit_test(request_limits),
	    cmocka_unit_test(request_value_length),
	    cmocka_unit_test(request_target_moves),
	    cmocka_unit_test(request_error_empties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
