/*
 * sim_names.c - names over a lossy network, and connections to what they mean
 *
 * A name server answers, denies, fails, lies, cuts short or drops; datagrams
 * are lost, come twice and out of order. Whoever asks gets addresses of that
 * name and no other, a denial only where the name does not exist, or an honest
 * error by its deadline. A connection to a name is made over the family that
 * works, however dead the other one is.
 */
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/dial_host.h"
#include "net/resolve.h"
#include "net/serve.h"
#include "net/udp.h"
#include "sim_case.h"
#include "wire/dns.h"

#define NAMES       8
#define CLIENTS_MAX 6
#define ASKS_MAX    6
#define PATIENCE_MS 30000
#define HTTP_PORT   80

/* What a name is: by its number. */
static bool
name_exists(unsigned n)
{
	return n % 4 != 3;
}

static struct town {
	bool calm; /* nothing is lost and the name server is honest */
	bool dead[NAMES][2]; /* the host's IPv6, IPv4: silent */
	struct scope *servers;
	struct io_fd udp, tcp;
	struct io_fd listeners[NAMES][2];
} town;

static char conf_path[64];

static struct net_address
address_make(const char *format, unsigned n)
{
	struct net_address address;
	char text[64];

	snprintf(text, sizeof(text), format, n);
	must(net_address_parse(bytes_from(text), &address) == 0);
	return address;
}

static struct net_address
address_of(unsigned n, unsigned family, unsigned port)
{
	struct net_address address =
	    address_make(family == 0 ? "[fd00::%u]:0" : "10.1.0.%u:0", n + 1);

	net_address_port_set(&address, (uint16_t)port);
	return address;
}

/* ---- the name server ---- */

static size_t
dns_answer(const struct dns_reader *reader, const struct dns_question *question,
    unsigned n, bool tcp, uint8_t *into, size_t room)
{
	struct dns_header header = reader->header;
	struct dns_writer writer;
	struct dns_record record = {.name = question->name,
	    .class = DNS_CLASS_IN,
	    .type = question->type,
	    .ttl = (uint32_t)between(0, 30),
	    .section = DNS_ANSWER};
	bool fails = !town.calm && one_in(20);

	header.response = true;
	header.rcode = fails ? DNS_SERVFAIL
	    : name_exists(n) ? DNS_NOERROR
			     : DNS_NXDOMAIN;
	dns_writer_init(&writer, into, room, &header);
	must(dns_write_question(&writer, question) == 0);
	if (!tcp && one_in(10)) {
		writer.header.truncated = true;
	} else if (header.rcode == DNS_NOERROR) {
		struct net_address a =
		    address_of(n, question->type == DNS_A ? 1 : 0, 0);

		if (question->type == DNS_A)
			memcpy(record.data.a,
			    &((struct sockaddr_in *)&a.any)->sin_addr, 4);
		else
			memcpy(record.data.aaaa,
			    &((struct sockaddr_in6 *)&a.any)->sin6_addr, 16);
		must(dns_write_record(&writer, &record) == 0);
	}
	return dns_writer_end(&writer);
}

/* Bytes of the answer to @message; 0: none is sent. */
static size_t
dns_serve(
    const uint8_t *message, size_t length, bool tcp, uint8_t *into, size_t room)
{
	struct dns_reader reader;
	struct dns_question question;
	char text[DNS_NAME_TEXT_BYTES + 1] = "";
	struct appender into_text = appender_over(text, sizeof(text) - 1);
	unsigned n;

	must(dns_reader_init(
		 &reader, bytes_of((const char *)message, length)) == 0);
	must(dns_read_question(&reader, &question) == 1);
	dns_name_fold(&question.name);
	dns_name_to_text(&question.name, &into_text);
	expect(
	    sscanf(text, "n%u.", &n) == 1 && n < NAMES, "asked for %s", text);
	/* In the case in which it came: that is looked at. */
	must(dns_reader_init(
		 &reader, bytes_of((const char *)message, length)) == 0);
	must(dns_read_question(&reader, &question) == 1);
	if (!town.calm && one_in(10))
		return 0;
	return dns_answer(&reader, &question, n, tcp, into, room);
}

static int
dns_udp_task(void *arg)
{
	uint8_t query[512], answer[512];

	(void)arg;
	for (;;) {
		struct udp_datagram in = {.at = query, .length = sizeof(query)};
		struct udp_datagram out = {.at = answer};
		ssize_t r = udp_recv(&town.udp, &in, instant_never());

		if (r == -ECANCELED)
			break;
		if (r < 0)
			continue;
		out.length =
		    dns_serve(query, (size_t)r, false, answer, sizeof(answer));
		out.peer = in.peer;
		if (out.length > 0 && !town.calm && one_in(10)) {
			/* A forger's comes first: another number, and another
			 * address. */
			answer[0] ^= 0xff;
			answer[out.length - 1] ^= 0xff;
			(void)!udp_send(&town.udp, &out, in_ms(1000));
			answer[0] ^= 0xff;
			answer[out.length - 1] ^= 0xff;
		}
		if (out.length > 0)
			(void)!udp_send(&town.udp, &out, in_ms(1000));
	}
	return 0;
}

static int
dns_tcp_conversation(
    struct io_fd *io, const struct net_address *from, void *arg)
{
	uint8_t query[514], answer[514];
	size_t length = 0, bytes;

	(void)from;
	(void)arg;
	while (length < 2 || length < 2 + (size_t)(query[0] << 8 | query[1])) {
		ssize_t r = io_recv(
		    io, query + length, sizeof(query) - length, in_ms(5000));

		if (r <= 0)
			return 0;
		length += (size_t)r;
	}
	bytes = dns_serve(query + 2, length - 2, true, answer + 2, 512);
	answer[0] = (uint8_t)(bytes >> 8);
	answer[1] = (uint8_t)bytes;
	if (bytes > 0)
		(void)!io_send(io, answer, bytes + 2, NULL, in_ms(5000));
	return 0;
}

/* ---- hosts ---- */

static int
host_conversation(struct io_fd *io, const struct net_address *from, void *arg)
{
	char block[16];

	(void)from;
	(void)arg;
	while (io_recv(io, block, sizeof(block), in_ms(PATIENCE_MS)) > 0)
		;
	return 0;
}

static int
host_task(void *arg)
{
	struct io_fd *listener = arg;
	struct serve_options options = {.connections_max = 100,
	    .conversation = listener == &town.tcp ? dns_tcp_conversation
						  : host_conversation};

	while (serve(listener, town.servers, &options, instant_never()) !=
	    -ECANCELED)
		if (task_sleep(duration_ms(10)) < 0)
			break;
	return 0;
}

/* Returns false when the simulated machine would not even start it. */
static bool
host_listen(struct io_fd *io, const struct net_address *at)
{
	int r;

	while ((r = serve_listen(
		    io, at, &(struct serve_listen_options){.backlog = 64})) < 0)
		expect(r == -EMFILE || r == -ENFILE || r == -ENOMEM,
		    "listen: %d", r);
	r = task_start(town.servers, "host", host_task, io);
	return r == 0;
}

static void
town_link(const struct net_address *to, const struct sim_link *link)
{
	must(sim_link_set(NULL, &to->any, link) == 0);
}

static bool
town_start(void)
{
	struct net_address dns = address_make("10.0.0.53:%u", 53);
	const struct sim_link silent = {.state = SIM_SILENT};
	const struct sim_link lossy = {.latency = duration_ms(between(0, 30)),
	    .jitter = duration_ms(between(0, 30)),
	    .loss_ppm = 200000,
	    .duplicate_ppm = 100000,
	    .reorder_ppm = 200000};
	bool all;
	int r;

	if (!town.calm)
		town_link(&dns, &lossy);
	while ((r = udp_open(&town.udp, &dns, &(struct udp_options){0})) < 0)
		expect(r == -EMFILE || r == -ENFILE || r == -ENOMEM,
		    "udp_open: %d", r);
	all = task_start(town.servers, "dns", dns_udp_task, NULL) == 0;
	all &= host_listen(&town.tcp, &dns);
	for (unsigned n = 0; n < NAMES; n++) {
		for (unsigned f = 0; f < 2; f++) {
			struct net_address at = address_of(n, f, HTTP_PORT);

			all &= host_listen(&town.listeners[n][f], &at);
			if (town.dead[n][f])
				town_link(&at, &silent);
		}
	}
	return all;
}

static void
town_end(void)
{
	(void)scope_fini(town.servers);
	io_close(&town.udp);
	io_close(&town.tcp);
	for (unsigned n = 0; n < NAMES; n++)
		for (unsigned f = 0; f < 2; f++)
			io_close(&town.listeners[n][f]);
}

/* ---- clients ---- */

/* What may become of a look-up by no fault of ours. */
static bool
honest(int r)
{
	return r == E_RESOLVER_FAILED || r == E_RESOLVER_TIMEOUT ||
	    r == -ETIMEDOUT || r == -EAGAIN || r == -ENOMEM || r == -EMFILE ||
	    r == -ENFILE;
}

static bool
is_of(const struct net_address *address, unsigned n)
{
	struct net_address six = address_of(n, 0, HTTP_PORT);
	struct net_address four = address_of(n, 1, HTTP_PORT);

	return net_address_equal(address, &six) ||
	    net_address_equal(address, &four);
}

static void
client_ask(unsigned n, struct bytes name)
{
	struct net_address found[4];
	unsigned count = 0;
	int r = resolve_addresses(name, HTTP_PORT, found, array_count(found),
	    &count, NULL, in_ms(PATIENCE_MS));

	for (unsigned i = 0; r == 0 && i < count; i++)
		expect(is_of(&found[i], n), "name %u has a wrong address", n);
	expect(r != 0 || (count >= 1 && count <= 2), "%u addresses", count);
	expect(r != 0 || name_exists(n), "name %u was made up", n);
	expect(r != E_NO_ADDRESS || !name_exists(n), "name %u denied", n);
	expect(r == 0 || r == E_NO_ADDRESS || r == -ECANCELED ||
		(!town.calm && honest(r)),
	    "name %u: %s", n, error_text(r));
}

static void
client_dial(unsigned n, struct bytes name)
{
	static const struct dial_host_options options;
	bool alive = !town.dead[n][0] || !town.dead[n][1];
	struct dial_host_error error = {.os_error = 0};
	struct net_address at;
	struct io_fd io;
	int r = dial_host(
	    &io, name, HTTP_PORT, &options, in_ms(PATIENCE_MS), &at, &error);

	if (r == 0) {
		expect(is_of(&at, n), "name %u: a wrong address", n);
		expect(!town.dead[n][at.any.sa_family == AF_INET],
		    "name %u: connected to the dead", n);
		io_close(&io);
		return;
	}
	expect(error.text[0] != '\0', "error %d without a text", r);
	expect(!town.calm || !alive || !name_exists(n) || r == -ECANCELED,
	    "name %u: %s", n, error.text);
	expect(name_exists(n) || r != E_CONNECT_FAILED, "name %u: %s", n,
	    error.text);
}

static int
client_task(void *arg)
{
	int asks = between(1, ASKS_MAX);

	(void)arg;
	while (asks-- > 0) {
		unsigned n = (unsigned)sim_random(NAMES);
		int64_t late = in_ms(PATIENCE_MS + 2000).ns;
		char name[16];

		snprintf(name, sizeof(name), "n%u.test.", n);
		if (one_in(2))
			client_ask(n, bytes_from(name));
		else
			client_dial(n, bytes_from(name));
		expect(runtime_now().ns < late, "name %u took too long", n);
		if (task_sleep(duration_ms(between(0, 20000))) < 0)
			break;
	}
	return 0;
}

/* ---- a run ---- */

static void
town_decide(void)
{
	static const struct sim_link smooth = {.latency = {5000000}};
	static const struct sim_faults few = {
	    .short_ppm = 100000, .not_ready_ppm = 100000, .late_ppm = 100000};

	memset(&town, 0, sizeof(town));
	town.calm = one_in(3);
	for (unsigned n = 0; n < NAMES; n++) {
		town.dead[n][0] = one_in(3);
		town.dead[n][1] = one_in(3);
	}
	if (town.calm) {
		must(sim_link_set(NULL, NULL, &smooth) == 0);
		sim_faults_set(&few);
	}
}

static int
names_root(void *arg)
{
	struct resolve_options options = {
	    .resolv_conf = conf_path, .hosts = "/nonexistent"};
	struct scope servers, clients;
	int count = between(1, CLIENTS_MAX);

	(void)arg;
	town_decide();
	must(resolve_configure(&options) == 0);
	town.servers = &servers;
	scope_init(&servers, instant_never());
	if (town_start()) {
		scope_init(&clients, instant_never());
		for (int i = 0; i < count; i++)
			(void)!task_start(
			    &clients, "client", client_task, NULL);
		/* Whoever is stopped leaves nothing behind either. */
		if (one_in(4) && task_sleep(duration_ms(between(1, 5000))) == 0)
			scope_cancel(&clients, 0);
		(void)scope_wait(&clients);
		scope_fini(&clients);
	}
	town_end();
	return 0;
}

static void
names_process_start(void)
{
	static const char text[] =
	    "nameserver 10.0.0.53\noptions timeout:1 attempts:3\n";
	int fd = memfd_create("resolv.conf", MFD_CLOEXEC);

	must(fd >= 0);
	must(write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
	snprintf(conf_path, sizeof(conf_path), "/proc/self/fd/%d", fd);
}

const struct sim_case sim_case_names = {.name = "names",
    .root = names_root,
    .start = names_process_start,
    .forked = true};
