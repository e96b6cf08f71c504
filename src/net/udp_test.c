#include "net/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/serve.h"
#include "os/clock.h"
#include "os/socket.h"
#include "runtime/runtime.h"

static const struct udp_options plain;

static struct net_address
address_of(const char *text)
{
	struct net_address address;

	assert_int_equal(net_address_parse(bytes_from(text), &address), 0);
	return address;
}

static instant
soon(void)
{
	return instant_after(clock_now(), duration_s(5));
}

/* The address with the port that the kernel chose. */
static struct net_address
open_at(struct io_fd *io, const char *text, const struct udp_options *options)
{
	struct net_address address = address_of(text);

	assert_int_equal(udp_open(io, &address, options), 0);
	assert_int_equal(serve_address(io, &address), 0);
	return address;
}

static struct udp_datagram
datagram_of(const char *text, const struct net_address *peer)
{
	struct udp_datagram datagram = {
	    .at = (void *)text, .length = strlen(text)};

	if (peer != NULL)
		datagram.peer = *peer;
	return datagram;
}

static void
send_to(struct io_fd *io, const char *text, const struct net_address *peer)
{
	struct udp_datagram datagram = datagram_of(text, peer);

	assert_int_equal(udp_send(io, &datagram, soon()), 0);
}

static char room[70000];

static struct udp_datagram
expect(struct io_fd *io, const char *text)
{
	struct udp_datagram datagram = {.at = room, .length = sizeof(room)};

	assert_int_equal(udp_recv(io, &datagram, soon()), strlen(text));
	assert_memory_equal(room, text, strlen(text));
	assert_int_equal(datagram.length, strlen(text));
	assert_false(datagram.truncated);
	return datagram;
}

static int
unicast(void *arg)
{
	struct io_fd a, b;
	struct net_address at_a = open_at(&a, "127.0.0.1:0", &plain);
	struct net_address at_b = open_at(&b, "127.0.0.1:0", &plain);
	struct udp_datagram in, cut = {.at = room, .length = 3};

	send_to(&a, "hello", &at_b);
	in = expect(&b, "hello");
	assert_true(net_address_equal(&in.peer, &at_a));
	assert_int_equal(in.local.length, 0);
	send_to(&b, "", &in.peer);
	in = expect(&a, "");
	assert_true(net_address_equal(&in.peer, &at_b));
	send_to(&a, "too long", &at_b);
	assert_int_equal(udp_recv(&b, &cut, soon()), 3);
	assert_true(cut.truncated);
	assert_memory_equal(room, "too", 3);
	/* The rest is lost, not kept. */
	cut.length = sizeof(room);
	assert_int_equal(
	    udp_recv(&b, &cut, instant_after(clock_now(), duration_ms(20))),
	    -ETIMEDOUT);
	io_close(&a);
	io_close(&b);
	return 0;
}

static int
connected(void *arg)
{
	struct io_fd a, b, stranger;
	struct net_address at_a = open_at(&a, "127.0.0.1:0", &plain);
	struct net_address at_b = open_at(&b, "127.0.0.1:0", &plain);
	struct udp_datagram large = {.at = room, .length = UDP_PAYLOAD_MAX};

	(void)open_at(&stranger, "127.0.0.1:0", &plain);
	assert_int_equal(udp_path_mtu(&a), -ENOTCONN);
	assert_int_equal(udp_connect(&a, &at_b), 0);
	assert_in_range(udp_path_mtu(&a), 1280, 65536);
	send_to(&a, "hello", NULL);
	(void)expect(&b, "hello");
	send_to(&stranger, "lie", &at_a);
	send_to(&b, "truth", &at_a);
	(void)expect(&a, "truth");
	large.length++;
	assert_int_equal(udp_send(&a, &large, soon()), -EMSGSIZE);
	/* Nobody is there any more; the kernel says so. */
	io_close(&b);
	send_to(&a, "x", NULL);
	large.length = sizeof(room);
	assert_int_equal(udp_recv(&a, &large, soon()), -ECONNREFUSED);
	io_close(&a);
	io_close(&stranger);
	return 0;
}

/* An answer goes out from the address that was asked. */
static int
local_address(void *arg)
{
	struct udp_options options = {.local_address = true};
	struct io_fd server, client;
	struct net_address at = open_at(&server, "0.0.0.0:0", &options), to;
	struct udp_datagram in, out;
	char text[32];

	(void)open_at(&client, "127.0.0.1:0", &plain);
	snprintf(text, sizeof(text), "127.0.0.9:%u", net_address_port(&at));
	to = address_of(text);
	send_to(&client, "who", &to);
	in = expect(&server, "who");
	to = address_of("127.0.0.9");
	assert_true(net_address_equal(&in.local, &to));
	assert_int_equal(in.interface, socket_interface_index("lo"));
	out = datagram_of("me", &in.peer);
	out.local = in.local;
	assert_int_equal(udp_send(&server, &out, soon()), 0);
	in = expect(&client, "me");
	to = address_of(text);
	assert_true(net_address_equal(&in.peer, &to));
	io_close(&server);
	io_close(&client);
	return 0;
}

static int
broadcast(void *arg)
{
	struct udp_options options = {.broadcast = true};
	struct io_fd listener, refused, sender;
	struct net_address at = open_at(&listener, "0.0.0.0:0", &plain), to;
	struct udp_datagram datagram;

	to = address_of("127.255.255.255");
	net_address_port_set(&to, net_address_port(&at));
	(void)open_at(&refused, "127.0.0.1:0", &plain);
	datagram = datagram_of("all", &to);
	assert_int_equal(udp_send(&refused, &datagram, soon()), -EACCES);
	(void)open_at(&sender, "127.0.0.1:0", &options);
	send_to(&sender, "all", &to);
	(void)expect(&listener, "all");
	io_close(&listener);
	io_close(&refused);
	io_close(&sender);
	return 0;
}

/* On the loopback interface, by its index. */
static void
multicast_on(const char *any, const char *group_text)
{
	struct udp_options options = {.reuse_address = true};
	unsigned lo = socket_interface_index("lo");
	struct io_fd first, second, sender;
	struct net_address at = open_at(&first, any, &options);
	struct net_address group = address_of(group_text);
	struct udp_datagram none = {.at = room, .length = sizeof(room)};

	(void)open_at(&sender, any, &plain);
	net_address_port_set(&group, net_address_port(&at));
	assert_int_equal(udp_open(&second, &at, &options), 0);
	assert_int_equal(udp_join(&first, &group, lo), 0);
	assert_int_equal(udp_join(&first, &group, lo), -EADDRINUSE);
	assert_int_equal(udp_join(&second, &group, lo), 0);
	assert_int_equal(udp_multicast(&sender, lo, 1, true), 0);
	send_to(&sender, "group", &group);
	(void)expect(&first, "group");
	(void)expect(&second, "group");
	assert_int_equal(udp_leave(&second, &group, lo), 0);
	assert_int_equal(udp_leave(&second, &group, lo), -EADDRNOTAVAIL);
	io_close(&first);
	/* The last member has gone, and so has the own echo. */
	assert_int_equal(udp_multicast(&sender, 0, -1, false), 0);
	send_to(&sender, "group", &group);
	assert_int_equal(udp_recv(&second, &none,
			     instant_after(clock_now(), duration_ms(20))),
	    -ETIMEDOUT);
	io_close(&second);
	io_close(&sender);
}

/* The loopback interface carries IPv4 groups only; of IPv6 what can be asked
 * of it without a network. */
static int
multicast(void *arg)
{
	struct net_address group = address_of("[ff02::4242%lo]:9"), any;
	unsigned lo = socket_interface_index("lo");
	struct io_fd io;

	multicast_on("0.0.0.0:0", "239.255.7.7");
	any = address_of("[::]:0");
	if (udp_open(&io, &any, &plain) < 0)
		return 0;
	assert_int_equal(udp_join(&io, &group, lo), 0);
	assert_int_equal(udp_join(&io, &group, lo), -EADDRINUSE);
	assert_int_equal(udp_join(&io, &group, UINT16_MAX), -ENODEV);
	assert_int_equal(udp_multicast(&io, lo, 1, false), 0);
	assert_int_equal(udp_leave(&io, &group, lo), 0);
	assert_int_equal(udp_leave(&io, &group, lo), -EADDRNOTAVAIL);
	io_close(&io);
	return 0;
}

static int
batches(void *arg)
{
	enum { COUNT = 100 };
	static struct udp_datagram out[COUNT], in[UDP_BATCH_MAX];
	static char words[COUNT][8], rooms[UDP_BATCH_MAX][8];
	struct io_fd a, b;
	struct net_address at_a = open_at(&a, "127.0.0.1:0", &plain);
	struct net_address at_b = open_at(&b, "127.0.0.1:0", &plain);
	unsigned sent, received = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(words[i], sizeof(words[i]), "n%u", i);
		out[i] = datagram_of(words[i], &at_b);
	}
	assert_int_equal(udp_send_batch(&a, out, COUNT, &sent, soon()), 0);
	assert_int_equal(sent, COUNT);
	while (received < COUNT) {
		int n;

		for (unsigned i = 0; i < UDP_BATCH_MAX; i++)
			in[i] = (struct udp_datagram){
			    .at = rooms[i], .length = sizeof(rooms[i])};
		n = udp_recv_batch(&b, in, UDP_BATCH_MAX, soon());
		assert_in_range(n, 1, UDP_BATCH_MAX);
		for (int i = 0; i < n; i++, received++) {
			assert_int_equal(in[i].length, strlen(words[received]));
			assert_memory_equal(
			    in[i].at, words[received], in[i].length);
			assert_true(net_address_equal(&in[i].peer, &at_a));
		}
	}
	/* The one that fails is told. */
	out[40].length = UDP_PAYLOAD_MAX + 1;
	out[40].at = room;
	assert_int_equal(
	    udp_send_batch(&a, out, COUNT, &sent, soon()), -EMSGSIZE);
	assert_int_equal(sent, 40);
	assert_int_equal(udp_recv_batch(&a, in, 1,
			     instant_after(clock_now(), duration_ms(5))),
	    -ETIMEDOUT);
	io_close(&a);
	io_close(&b);
	return 0;
}

/* One call out, one datagram a segment in; and joined again on the way in. */
static int
segments(void *arg)
{
	struct udp_options joins = {.join = true};
	static char payload[3500];
	struct udp_datagram out, in = {.at = room, .length = sizeof(room)};
	struct io_fd a, b, c;
	struct net_address at_b, at_c;
	size_t total = 0;

	(void)open_at(&a, "127.0.0.1:0", &plain);
	at_b = open_at(&b, "127.0.0.1:0", &plain);
	at_c = open_at(&c, "127.0.0.1:0", &joins);
	memset(payload, 'x', sizeof(payload));
	out = (struct udp_datagram){.at = payload,
	    .length = sizeof(payload),
	    .peer = at_b,
	    .segment = 1000};
	assert_int_equal(udp_send(&a, &out, soon()), 0);
	for (unsigned i = 0; i < 4; i++) {
		in.length = sizeof(room);
		assert_int_equal(udp_recv(&b, &in, soon()), i < 3 ? 1000 : 500);
		assert_int_equal(in.segment, 0);
	}
	out.peer = at_c;
	assert_int_equal(udp_send(&a, &out, soon()), 0);
	while (total < sizeof(payload)) {
		in.length = sizeof(room);
		assert_true(udp_recv(&c, &in, soon()) > 0);
		assert_true(in.length <= 1000 || in.segment == 1000);
		total += in.length;
	}
	assert_int_equal(total, sizeof(payload));
	io_close(&a);
	io_close(&b);
	io_close(&c);
	return 0;
}

static int
refused(void *arg)
{
	struct net_address local = address_of("unix:@x");
	struct io_fd a, b;

	assert_int_equal(udp_open(&a, &local, &plain), -EAFNOSUPPORT);
	local = open_at(&a, "127.0.0.1:0", &plain);
	assert_int_equal(udp_open(&b, &local, &plain), -EADDRINUSE);
	io_close(&a);
	return 0;
}

static void
on_backend(void **state, const char *backend)
{
	struct runtime_options options = {
	    .worker_count = 1, .backend = backend};

	assert_int_equal(runtime_run(&options, (task_fn)*state, NULL), 0);
}

static void
on_epoll(void **state)
{
	on_backend(state, "epoll");
}

static void
on_poll(void **state)
{
	on_backend(state, "poll");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(fn)                                                               \
	{#fn, on_epoll, NULL, NULL, (void *)(fn)},                             \
	    {#fn " on poll", on_poll, NULL, NULL, (void *)(fn)}
	    TEST(unicast),
	    TEST(connected),
	    TEST(local_address),
	    TEST(broadcast),
	    TEST(multicast),
	    TEST(batches),
	    TEST(segments),
	    TEST(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
