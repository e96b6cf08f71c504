#include "net/dns_ask.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "net/dial.h"
#include "os/random.h"
#include "os/socket.h"
#include "runtime/runtime.h"

/* One bit a letter of the longest name. */
#define DNS_CASE_OCTETS 32
/* The largest query: header, name, type and class, OPT. */
#define DNS_QUERY_OCTETS                                                       \
	(DNS_HEADER_OCTETS + DNS_NAME_OCTETS + 4 + DNS_OPT_OCTETS)

/* What a reply is to us. */
enum dns_verdict {
	DNS_STRAY, /* not an answer to this question */
	DNS_CASE_LOST, /* perhaps one */
	DNS_CUT, /* truncated */
	DNS_BROKEN,
	DNS_USABLE,
};

/* One try: one server, one id. */
struct dns_try {
	const struct resolv_conf *conf;
	const struct net_address *server;
	struct dns_question question;
	uint16_t id;
	bool edns0;
	bool tcp;
	instant deadline;
	uint8_t query[DNS_QUERY_OCTETS];
	size_t query_length;
	uint8_t *reply;
	size_t reply_room;
	size_t reply_length;
	unsigned rcode;
};

/* Results of a try beside 0 and -errno. */
enum { DNS_TRY_TCP = 1, DNS_TRY_BROKEN = 2, DNS_TRY_REFUSED = 3 };

static void
dns_query_make(struct dns_try *try)
{
	struct dns_header header = {.recursion_desired = true};
	struct dns_record opt = {.type = DNS_OPT, .section = DNS_ADDITIONAL};
	uint8_t random[DNS_CASE_OCTETS + 2];
	struct dns_writer writer;
	int r;

	random_fill(random, sizeof(random));
	try->id = (uint16_t)(random[DNS_CASE_OCTETS] << 8 |
	    random[DNS_CASE_OCTETS + 1]);
	dns_name_vary(&try->question.name, random, DNS_CASE_OCTETS);
	header.id = try->id;
	dns_writer_init(&writer, try->query, sizeof(try->query), &header);
	r = dns_write_question(&writer, &try->question);
	dns_name_init(&opt.name);
	opt.data.opt.udp_octets = DNS_EDNS_OCTETS;
	if (r == 0 && try->edns0)
		r = dns_write_record(&writer, &opt);
	must(r == 0);
	try->query_length = dns_writer_end(&writer);
}

/* Failures may come without the question. */
static bool
dns_is_failure(unsigned rcode)
{
	return rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN;
}

static bool
dns_whole(struct dns_reader reader)
{
	struct dns_record record;
	int r;

	do {
		r = dns_read_record(&reader, &record);
	} while (r == 1);
	return r == 0;
}

static enum dns_verdict
dns_judge(struct dns_try *try)
{
	struct bytes message = {(char *)try->reply, try->reply_length};
	struct dns_question question;
	struct dns_reader reader;

	if (dns_reader_init(&reader, message) < 0 ||
	    reader.header.id != try->id || !reader.header.response ||
	    reader.header.opcode != 0)
		return DNS_STRAY;
	try->rcode = reader.header.rcode;
	if (reader.question_count == 0 && dns_is_failure(try->rcode))
		return DNS_USABLE;
	if (reader.question_count != 1 ||
	    dns_read_question(&reader, &question) != 1 ||
	    question.type != try->question.type ||
	    question.class != try->question.class ||
	    !dns_name_equal(&question.name, &try->question.name))
		return DNS_STRAY;
	/* Nobody off the path can speak over TCP. */
	if (!try->tcp &&
	    !dns_name_equal_case(&question.name, &try->question.name))
		return DNS_CASE_LOST;
	if (reader.header.truncated)
		return DNS_CUT;
	return dns_whole(reader) ? DNS_USABLE : DNS_BROKEN;
}

/* Replies until one is ours. */
static int
dns_udp_receive(struct dns_try *try, struct io_fd *io)
{
	for (unsigned strays = 0; strays < DNS_STRAYS_MAX; strays++) {
		ssize_t n =
		    io_recv(io, try->reply, try->reply_room, try->deadline);

		if (n < 0)
			return (int)n;
		try->reply_length = (size_t)n;
		switch (dns_judge(try)) {
		case DNS_STRAY:
			continue;
		case DNS_CASE_LOST:
		case DNS_CUT:
			return DNS_TRY_TCP;
		case DNS_BROKEN:
			return DNS_TRY_BROKEN;
		case DNS_USABLE:
			return 0;
		}
	}
	/* Somebody guesses. */
	return DNS_TRY_TCP;
}

static int
dns_udp(struct dns_try *try)
{
	int fd = socket_datagram(try->server->any.sa_family);
	struct io_fd io;
	ssize_t n;
	int r;

	if (fd < 0)
		return fd;
	r = io_attach(&io, fd);
	if (r < 0) {
		socket_close(fd);
		return r;
	}
	r = io_connect(
	    &io, &try->server->any, try->server->length, try->deadline);
	if (r == 0) {
		n = io_send(
		    &io, try->query, try->query_length, NULL, try->deadline);
		r = n < 0 ? (int)n : dns_udp_receive(try, &io);
	}
	io_close(&io);
	return r;
}

static int
dns_tcp_read(struct io_fd *io, uint8_t *into, size_t length, instant deadline)
{
	while (length > 0) {
		ssize_t n = io_recv(io, into, length, deadline);

		if (n <= 0)
			return n < 0 ? (int)n : DNS_TRY_BROKEN;
		into += n;
		length -= (size_t)n;
	}
	return 0;
}

static int
dns_tcp_receive(struct dns_try *try, struct io_fd *io)
{
	uint8_t prefix[2];
	size_t length;
	int r = dns_tcp_read(io, prefix, sizeof(prefix), try->deadline);

	if (r != 0)
		return r;
	length = (size_t)prefix[0] << 8 | prefix[1];
	if (length > try->reply_room) {
		uint8_t *larger = realloc(try->reply, length);

		if (larger == NULL)
			return -ENOMEM;
		try->reply = larger;
		try->reply_room = length;
	}
	r = dns_tcp_read(io, try->reply, length, try->deadline);
	if (r != 0)
		return r;
	try->reply_length = length;
	return dns_judge(try) == DNS_USABLE ? 0 : DNS_TRY_BROKEN;
}

static int
dns_tcp(struct dns_try *try)
{
	uint8_t prefix[2] = {
	    (uint8_t)(try->query_length >> 8), (uint8_t)try->query_length};
	struct iovec parts[2] = {
	    {prefix, sizeof(prefix)}, {try->query, try->query_length}};
	struct io_fd io;
	int r, os_error = 0;
	ssize_t n;

	r = dial(&io, &try->server->any, try->server->length,
	    &(struct dial_options){0}, try->deadline, &os_error);
	if (r == E_CONNECT_TIMEOUT)
		return -ETIMEDOUT;
	if (r < 0)
		return r == E_CONNECT_FAILED ? -os_error : r;
	n = io_sendv(&io, parts, 2, 0, NULL, try->deadline);
	r = n < 0 ? (int)n : dns_tcp_receive(try, &io);
	io_close(&io);
	return r;
}

static int
dns_try_run(struct dns_try *try)
{
	int r;

	dns_query_make(try);
	try->deadline = instant_after(runtime_now(), try->conf->timeout);
	try->tcp = false;
	r = try->conf->use_tcp ? DNS_TRY_TCP : dns_udp(try);
	try->tcp = r == DNS_TRY_TCP;
	if (try->tcp)
		r = dns_tcp(try);
	if (r == 0 && dns_is_failure(try->rcode))
		r = DNS_TRY_REFUSED;
	return r;
}

/* A server that does not know OPT says FORMERR or NOTIMP. */
static int
dns_try_server(struct dns_try *try)
{
	int r;

	try->edns0 = try->conf->edns0;
	r = dns_try_run(try);
	if (r == DNS_TRY_REFUSED && try->edns0 &&
	    (try->rcode == DNS_FORMERR || try->rcode == DNS_NOTIMP)) {
		try->edns0 = false;
		r = dns_try_run(try);
	}
	return r;
}

static void
dns_failure_say(const struct dns_try *try, int result, struct dns_failure *into)
{
	struct appender text =
	    appender_over(into->text, sizeof(into->text) - 1);
	char room[DNS_WORD_BYTES];

	if (result == -ETIMEDOUT)
		append_literal(&text, "no answer from ");
	else if (result == DNS_TRY_BROKEN)
		append_literal(&text, "malformed answer from ");
	else if (result == DNS_TRY_REFUSED)
		append_format(
		    &text, "%s from ", dns_rcode_text(try->rcode, room));
	else
		append_format(&text, "%s: ", error_text(result));
	net_address_format(try->server, &text);
	if (result == -ETIMEDOUT)
		append_format(&text, " within %lld s, asked %u times",
		    (long long)(try->conf->timeout.ns / 1000000000),
		    try->conf->attempts);
	into->text[text.length] = '\0';
}

/* Ours to lack: another server would not help. */
static bool
dns_local(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* One round. Returns 0; 1: go on, *silent says whether it may help. */
static int
dns_round(struct dns_try *try, unsigned first, int *worst, bool *silent,
    struct dns_failure *failure)
{
	const struct resolv_conf *conf = try->conf;

	*silent = false;
	for (unsigned i = 0; i < conf->server_count; i++) {
		int cancelled, r;

		try->server = &conf->servers[(first + i) % conf->server_count];
		r = dns_try_server(try);
		if (r == 0)
			return 0;
		cancelled = task_cancelled();
		if (cancelled < 0 || dns_local(r)) {
			dns_failure_say(
			    try, cancelled < 0 ? cancelled : r, failure);
			return cancelled < 0 ? cancelled : r;
		}
		if (r == -ETIMEDOUT)
			*silent = true;
		/* What a server said tells more than another's silence. */
		if (*worst == 0 || r != -ETIMEDOUT) {
			*worst = r == -ETIMEDOUT ? E_RESOLVER_TIMEOUT
						 : E_RESOLVER_FAILED;
			dns_failure_say(try, r, failure);
		}
	}
	return 1;
}

int
dns_ask(const struct resolv_conf *conf, unsigned first,
    const struct dns_question *question, struct dns_answer *ret_answer,
    struct dns_failure *ret_failure)
{
	struct dns_try try = {.conf = conf,
	    .server = &conf->servers[0],
	    .question = *question,
	    .reply_room = conf->edns0 ? DNS_EDNS_OCTETS : DNS_UDP_OCTETS};
	int r = 1, worst = 0;
	bool silent = true;

	try.reply = malloc(try.reply_room);
	if (try.reply == NULL) {
		dns_failure_say(&try, -ENOMEM, ret_failure);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < conf->attempts && r == 1 && silent; i++)
		r = dns_round(&try, first, &worst, &silent, ret_failure);
	if (r != 0) {
		free(try.reply);
		return r == 1 ? worst : r;
	}
	*ret_answer = (struct dns_answer){
	    try.reply, try.reply_length, try.rcode, *try.server};
	return 0;
}
