/*
 * http1_response_test.c - answers accepted and refused, each cut in every way
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "wire/http1_case.h"

#define S     "HTTP/1.1 "
#define OK200 "HTTP/1.1 200 OK\r\n"
#define CL    "Content-Length: "
#define TE    "Transfer-Encoding: "

static const struct case_call to_get = {
    .kind = CASE_RESPONSE, .method = HTTP_GET, .limits = &case_limits};
static const struct case_call to_head = {
    .kind = CASE_RESPONSE, .method = HTTP_HEAD, .limits = &case_limits};
static const struct case_call to_connect = {
    .kind = CASE_RESPONSE, .method = HTTP_CONNECT, .limits = &case_limits};

static void
status_line(void **state)
{
	static const struct case_row rows[] = {
	    OK(S "200 OK\r\n\r\n", "200 'OK' 11 close 0"),
	    OK(S "200 \r\n\r\n", "200 '' 11 close 0"),
	    OK(S "200\r\n\r\n", "200 '' 11 close 0"),
	    OK(S "299 a  b\t\xfc \r\n\r\n", "299 'a  b\t\xfc ' 11 close 0"),
	    OK("HTTP/1.0 599 x\r\n\r\n", "599 'x' 10 close 0"),
	    NO("\r\n" OK200 "\r\n", E_H1_BAD_STATUS),
	    NO("X", E_H1_BAD_STATUS),
	    NO("HTTP/2", E_H1_BAD_STATUS),
	    NO("HTTP/1.2", E_H1_BAD_STATUS),
	    NO("http/1.1", E_H1_BAD_STATUS),
	    NO("HTTP/1.1  ", E_H1_BAD_STATUS),
	    NO(S "2x", E_H1_BAD_STATUS),
	    NO(S "+20", E_H1_BAD_STATUS),
	    NO(S "2000", E_H1_BAD_STATUS),
	    NO(S "200OK", E_H1_BAD_STATUS),
	    NO(S "20\r\n", E_H1_BAD_STATUS),
	    NO(S "099 x\r\n", E_H1_BAD_STATUS),
	    NO(S "600 x\r\n", E_H1_BAD_STATUS),
	    NO(S "200 O\x01", E_H1_BAD_STATUS),
	    NO(S "200 O\0", E_H1_BAD_STATUS),
	    NO(S "200 OK\n", E_H1_BARE_LF),
	    NO(S "200 O\rK", E_H1_BARE_CR),
	    NO("\x15\x03\x03", E_H1_BAD_STATUS),
	    NO("220 mail ESMTP\r\n", E_H1_BAD_STATUS),
	    NO(OK200 " X: y\r\n", E_H1_FOLDED),
	    NO(OK200 "X: y\r\n z\r\n", E_H1_FOLDED),
	    NO(OK200 "X : y\r\n", E_H1_BAD_NAME),
	    NO(OK200 "X: \0", E_H1_BAD_VALUE),
	    NO(OK200 "X: y\n", E_H1_BARE_LF),
	};

	CASE_ROWS(&to_get, rows);
}

static void
framing(void **state)
{
	static const struct case_row rows[] = {
	    OK(OK200 CL "3\r\n\r\n",
		"200 'OK' 11 length 3 keep [Content-Length=3]"),
	    OK(OK200 TE "chunked\r\n\r\n",
		"200 'OK' 11 chunked 0 keep [Transfer-Encoding=chunked]"),
	    OK(OK200 CL "3\r\nConnection: close\r\n\r\n",
		"200 'OK' 11 length 3 [Content-Length=3] [Connection=close]"),
	    OK("HTTP/1.0 200 OK\r\n" CL "3\r\n\r\n",
		"200 'OK' 10 length 3 [Content-Length=3]"),
	    OK("HTTP/1.0 200 OK\r\n" CL "3\r\nConnection: keep-alive\r\n\r\n",
		"200 'OK' 10 length 3 keep [Content-Length=3] "
		"[Connection=keep-alive]"),
	    OK(OK200 "Connection: keep-alive\r\n\r\n",
		"200 'OK' 11 close 0 [Connection=keep-alive]"),
	    NO(OK200 CL "3\r\n" TE "chunked\r\n\r\n", E_H1_LENGTH_AND_CHUNKED),
	    NO(OK200 CL "3\r\n" CL "3\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(OK200 CL "3, 3\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(OK200 CL "-3\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(OK200 TE "gzip, chunked\r\n\r\n", E_H1_BAD_CODING),
	    NO(OK200 TE "identity\r\n\r\n", E_H1_BAD_CODING),
	    NO("HTTP/1.0 200 OK\r\n" TE "chunked\r\n\r\n", E_H1_CODING_IN_10),
	};

	CASE_ROWS(&to_get, rows);
}

/* RFC 9112 §6.3: what has no body, whatever its fields say. */
static void
without_body(void **state)
{
	static const struct case_row get[] = {
	    OK(S "304 x\r\n" CL "3\r\n\r\n",
		"304 'x' 11 none 3 keep [Content-Length=3]"),
	    OK(S "304 x\r\n" TE "chunked\r\n\r\n",
		"304 'x' 11 none 0 keep [Transfer-Encoding=chunked]"),
	    OK(S "204 x\r\n" CL "0\r\n\r\n",
		"204 'x' 11 none 0 keep [Content-Length=0]"),
	    /* It announces a body that must not be there: the next answer
	     * cannot be trusted to begin where this one ends. */
	    OK(S "204 x\r\n" CL "3\r\n\r\n",
		"204 'x' 11 none 3 [Content-Length=3]"),
	    OK(S "204 x\r\n" TE "chunked\r\n\r\n",
		"204 'x' 11 none 0 [Transfer-Encoding=chunked]"),
	    OK(S "100 x\r\n\r\n", "100 'x' 11 none 0 keep"),
	    OK(S "101 x\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n",
		"101 'x' 11 none 0 keep upgrade [Connection=upgrade] "
		"[Upgrade=y]"),
	    NO(S "100 x\r\n" CL "3\r\n\r\n", E_H1_BAD_LENGTH),
	    NO(S "103 x\r\n" TE "chunked\r\n\r\n", E_H1_BAD_LENGTH),
	};
	static const struct case_row head[] = {
	    OK(OK200 CL "3\r\n\r\n",
		"200 'OK' 11 none 3 keep [Content-Length=3]"),
	    OK(OK200 TE "chunked\r\n\r\n",
		"200 'OK' 11 none 0 keep [Transfer-Encoding=chunked]"),
	    OK(OK200 "\r\n", "200 'OK' 11 none 0 keep"),
	    NO(OK200 CL "3\r\n" TE "chunked\r\n\r\n", E_H1_LENGTH_AND_CHUNKED),
	};
	static const struct case_row connect[] = {
	    OK(OK200 "\r\n", "200 'OK' 11 none 0 keep"),
	    OK(S "407 x\r\n" CL "3\r\n\r\n",
		"407 'x' 11 length 3 keep [Content-Length=3]"),
	};

	CASE_ROWS(&to_get, get);
	CASE_ROWS(&to_head, head);
	CASE_ROWS(&to_connect, connect);
}

static void
trailers(void **state)
{
	static const struct case_call call = {
	    .kind = CASE_TRAILERS, .limits = &case_limits};
	static const struct case_row rows[] = {
	    OK("\r\n", ""),
	    OK("X-Sum: 1\r\nETag: \"a\"\r\n\r\nGET", " [X-Sum~1] [ETag=\"a\"]"),
	    NO("\n", E_H1_BARE_LF),
	    NO("\r\r\n", E_H1_BARE_CR),
	    NO("X: y\n", E_H1_BARE_LF),
	    NO(" X: y\r\n", E_H1_FOLDED),
	    NO("X: y\r\n z\r\n", E_H1_FOLDED),
	    NO("X : y\r\n", E_H1_BAD_NAME),
	    NO("X: \x7f", E_H1_BAD_VALUE),
	    NO("content-length: 1\r\n", E_H1_BAD_TRAILER),
	    NO("Transfer-Encoding: chunked\r\n", E_H1_BAD_TRAILER),
	    NO("Host: a\r\n", E_H1_BAD_TRAILER),
	    NO("Authorization: x\r\n", E_H1_BAD_TRAILER),
	    NO("Set-Cookie: x\r\n", E_H1_BAD_TRAILER),
	    NO("Content_Length: 1\r\n", E_H1_BAD_NAME),
	    NO("A: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\nA: b\r\n"
	       "A: b\r\nA: b\r\nA: b\r\nA",
		E_H1_TOO_MANY_FIELDS),
	};

	CASE_ROWS(&call, rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(status_line),
	    cmocka_unit_test(framing),
	    cmocka_unit_test(without_body),
	    cmocka_unit_test(trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
