#include "net/dns_fake.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One query and where its answer goes. */
struct fake_query {
	struct fake *fake;
	struct dns_question question;
	struct dns_header header;
	bool edns;
	bool tcp;
	struct io_fd *tcp_io;
	struct sockaddr_in from;
};

static void
fake_put(struct dns_writer *writer, struct dns_record *record, const char *word)
{
	int r = 0;

	if (record->type == DNS_A)
		r = inet_pton(AF_INET, word, record->data.a) - 1;
	else if (record->type == DNS_AAAA)
		r = inet_pton(AF_INET6, word, record->data.aaaa) - 1;
	else if (record->type == DNS_SRV) {
		char target[128];

		must(sscanf(word, "%hu,%hu,%hu,%127s",
			 &record->data.srv.priority, &record->data.srv.weight,
			 &record->data.srv.port, target) == 4);
		r = dns_name_from_text(
		    bytes_from(target), &record->data.srv.target);
	} else {
		r = dns_name_from_text(bytes_from(word), &record->data.target);
	}
	must(r == 0);
	(void)!dns_write_record(writer, record);
}

/* Each word of the row's data; an alias moves the owner of what follows. */
static void
fake_records(struct dns_writer *writer, const struct fake_query *query,
    const struct fake_row *row)
{
	struct dns_record record = {.name = query->question.name,
	    .class = DNS_CLASS_IN,
	    .ttl = row->ttl,
	    .section = DNS_ANSWER};
	char data[512], *save = NULL;

	if (row->data == NULL)
		return;
	snprintf(data, sizeof(data), "%s", row->data);
	for (char *word = strtok_r(data, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		record.type =
		    word[0] == '=' ? (uint16_t)DNS_CNAME : query->question.type;
		fake_put(writer, &record, word + (word[0] == '='));
		if (word[0] == '=')
			record.name = record.data.target;
	}
}

static void
fake_soa(struct dns_writer *writer, const struct fake_row *row)
{
	struct dns_record soa = {.type = DNS_SOA,
	    .class = DNS_CLASS_IN,
	    .ttl = 3600,
	    .section = DNS_AUTHORITY,
	    .data.soa.minimum = row->ttl};

	dns_name_init(&soa.name);
	dns_name_init(&soa.data.soa.primary);
	dns_name_init(&soa.data.soa.mailbox);
	(void)!dns_write_record(writer, &soa);
}

static void
fake_poison(struct dns_writer *writer)
{
	struct dns_record lie = {.type = DNS_A,
	    .class = DNS_CLASS_IN,
	    .ttl = 3600,
	    .data.a = {6, 6, 6, 6}};

	must(dns_name_from_text(BYTES("victim.test"), &lie.name) == 0);
	lie.section = DNS_ANSWER;
	(void)!dns_write_record(writer, &lie);
	lie.section = DNS_ADDITIONAL;
	(void)!dns_write_record(writer, &lie);
}

static size_t
fake_make(const struct fake_query *query, const struct fake_row *row,
    const struct dns_header *header, uint8_t *into, size_t room)
{
	struct dns_question question = query->question;
	struct dns_writer writer;
	size_t length;

	dns_writer_init(&writer, into, room, header);
	if (row->how == FAKE_LOWER && !query->tcp)
		dns_name_fold(&question.name);
	(void)!dns_write_question(&writer, &question);
	if (header->rcode == DNS_NOERROR && row->how != FAKE_NODATA)
		fake_records(&writer, query, row);
	if (row->how == FAKE_POISON)
		fake_poison(&writer);
	if (row->how == FAKE_NXDOMAIN || row->how == FAKE_NODATA)
		fake_soa(&writer, row);
	if (row->how == FAKE_TRUNCATE && !query->tcp)
		writer.header.truncated = true;
	length = dns_writer_end(&writer);
	if (row->how == FAKE_JUNK)
		into[length++] = 'x';
	return length;
}

static void
fake_send(struct fake_query *query, const uint8_t *message, size_t length)
{
	uint8_t prefix[2] = {(uint8_t)(length >> 8), (uint8_t)length};
	struct iovec parts[2] = {{prefix, 2}, {(void *)message, length}};
	struct msghdr to = {.msg_name = &query->from,
	    .msg_namelen = sizeof(query->from),
	    .msg_iov = &parts[1],
	    .msg_iovlen = 1};

	if (query->tcp)
		(void)!io_sendv(
		    query->tcp_io, parts, 2, 0, NULL, instant_never());
	else
		(void)!io_sendmsg(&query->fake->udp, &to, 0, instant_never());
}

/* From another port than was asked. */
static void
fake_send_elsewhere(
    struct fake_query *query, const uint8_t *message, size_t length)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd >= 0);
	(void)!sendto(fd, message, length, 0, (struct sockaddr *)&query->from,
	    sizeof(query->from));
	close(fd);
}

/* What a forger would send before the answer. */
static void
fake_lie(struct fake_query *query, enum fake_how how)
{
	struct fake_row lie = {.how = FAKE_ANSWER, .ttl = 3600};
	struct fake_query forged = *query;
	struct dns_header header = query->header;
	unsigned count = how == FAKE_FLOOD ? 20
	    : how == FAKE_WRONG_QUESTION   ? 2
					   : 1;
	uint8_t message[512];
	size_t length;

	lie.data = query->question.type == DNS_A ? "6.6.6.6" : "666::6";
	if (how == FAKE_WRONG_QUESTION)
		must(dns_name_from_text(
			 BYTES("other.test"), &forged.question.name) == 0);
	for (unsigned i = 0; i < count; i++) {
		if (how == FAKE_WRONG_ID || how == FAKE_FLOOD)
			header.id++;
		/* The name that was asked, of another type. */
		if (how == FAKE_WRONG_QUESTION && i == 1) {
			forged.question = query->question;
			forged.question.type ^= DNS_A ^ DNS_AAAA;
			lie.data = forged.question.type == DNS_A ? "6.6.6.6"
								 : "666::6";
		}
		length =
		    fake_make(&forged, &lie, &header, message, sizeof(message));
		if (how == FAKE_WRONG_SOURCE)
			fake_send_elsewhere(query, message, length);
		else
			fake_send(query, message, length);
	}
}

static struct fake_row *
fake_find(struct fake *fake, const struct dns_question *question)
{
	for (unsigned i = 0; i < fake->row_count; i++) {
		struct fake_row *row = &fake->rows[i];
		struct dns_name name;

		must(dns_name_from_text(bytes_from(row->name), &name) == 0);
		if (dns_name_equal(&name, &question->name) &&
		    (row->type == question->type || row->type == DNS_ANY))
			return row;
	}
	return NULL;
}

static int
fake_answer_task(void *arg)
{
	struct fake_query *query = arg;
	static struct fake_row unknown = {.how = FAKE_NXDOMAIN, .ttl = 60};
	struct fake_row *row = fake_find(query->fake, &query->question);
	uint8_t message[4096];
	size_t length;

	if (row == NULL)
		row = &unknown;
	query->header.response = true;
	query->header.rcode = row->how == FAKE_NXDOMAIN ? DNS_NXDOMAIN
	    : row->how == FAKE_SERVFAIL                 ? DNS_SERVFAIL
							: DNS_NOERROR;
	if (row->how == FAKE_NO_EDNS && query->edns)
		query->header.rcode = DNS_FORMERR;
	row->asked++;
	if (row->how == FAKE_SLOW)
		task_sleep(duration_ms(100));
	if (!query->tcp && row->how >= FAKE_WRONG_ID && row->how <= FAKE_FLOOD)
		fake_lie(query, row->how);
	if (row->how != FAKE_DROP &&
	    (row->how != FAKE_DROP_FIRST || row->asked > 1)) {
		length = fake_make(query, row, &query->header, message,
		    query->tcp ? sizeof(message) : 512);
		fake_send(query, message, length);
	}
	if (!query->tcp)
		free(query);
	return 0;
}

static void
fake_read(struct fake_query *query, const uint8_t *message, size_t length)
{
	struct dns_reader reader;
	struct dns_record record;
	struct dns_name lower;

	must(dns_reader_init(&reader, bytes_of((char *)message, length)) == 0);
	must(dns_read_question(&reader, &query->question) == 1);
	query->header = reader.header;
	query->edns =
	    dns_read_record(&reader, &record) == 1 && record.type == DNS_OPT;
	lower = query->question.name;
	dns_name_fold(&lower);
	/* A name of 35 letters has one chance in 34 billion for that. */
	if (lower.length > 40 &&
	    dns_name_equal_case(&lower, &query->question.name))
		query->fake->no_case = true;
}

static int
fake_udp_task(void *arg)
{
	struct fake *fake = arg;

	for (;;) {
		struct fake_query *query = calloc(1, sizeof(*query));
		uint8_t message[512];
		struct iovec part = {message, sizeof(message)};
		struct msghdr from = {.msg_name = &query->from,
		    .msg_namelen = sizeof(query->from),
		    .msg_iov = &part,
		    .msg_iovlen = 1};
		ssize_t n;

		must(query != NULL);
		n = io_recvmsg(&fake->udp, &from, 0, instant_never());
		if (n < 0) {
			free(query);
			return 0;
		}
		query->fake = fake;
		fake_read(query, message, (size_t)n);
		fake->ports[fake->udp_count++ % array_count(fake->ports)] =
		    query->from.sin_port;
		if (task_start(&fake->scope, "fake answer", fake_answer_task,
			query) < 0)
			free(query);
	}
}

static int
fake_tcp_task(void *arg)
{
	struct fake *fake = arg;

	for (;;) {
		struct fake_query query = {.fake = fake, .tcp = true};
		int fd = io_accept(&fake->tcp, NULL, NULL, instant_never());
		uint8_t message[512];
		struct io_fd io;
		ssize_t n;

		if (fd < 0)
			return 0;
		must(io_attach_stream(&io, fd) == 0);
		/* Sent in one piece, so it comes in one. */
		n = io_recv(&io, message, sizeof(message), instant_never());
		if (n > 2) {
			query.tcp_io = &io;
			fake_read(&query, message + 2, (size_t)n - 2);
			fake->tcp_count++;
			fake_answer_task(&query);
		}
		io_close(&io);
	}
}

void
fake_start(struct fake *fake, struct fake_row *rows, unsigned row_count)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int kind = SOCK_NONBLOCK | SOCK_CLOEXEC;
	socklen_t length = sizeof(address);
	int udp, tcp = socket(AF_INET, SOCK_STREAM | kind, 0);

	*fake = (struct fake){.rows = rows, .row_count = row_count};
	must(tcp >= 0);
	/* The same port for both may be taken by another socket. */
	must(bind(tcp, (struct sockaddr *)&address, length) == 0);
	must(getsockname(tcp, (struct sockaddr *)&address, &length) == 0);
	udp = socket(AF_INET, SOCK_DGRAM | kind, 0);
	must(udp >= 0);
	if (bind(udp, (struct sockaddr *)&address, length) < 0) {
		must(errno == EADDRINUSE);
		close(udp);
		close(tcp);
		fake_start(fake, rows, row_count);
		return;
	}
	must(listen(tcp, 16) == 0);
	fake->port = ntohs(address.sin_port);
	must(io_attach(&fake->udp, udp) == 0);
	must(io_attach(&fake->tcp, tcp) == 0);
	scope_init(&fake->scope, instant_never());
	must(task_start(&fake->scope, "fake udp", fake_udp_task, fake) == 0);
	must(task_start(&fake->scope, "fake tcp", fake_tcp_task, fake) == 0);
}

void
fake_stop(struct fake *fake)
{
	(void)scope_fini(&fake->scope);
	io_close(&fake->udp);
	io_close(&fake->tcp);
}
