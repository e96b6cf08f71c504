#include "net/resolv_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

/* The bounds of resolv.conf(5). */
#define RESOLV_NDOTS_MAX    15
#define RESOLV_TIMEOUT_MAX  30
#define RESOLV_ATTEMPTS_MAX 5
#define RESOLV_PORT         53

static bool
resolv_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of *@line, without what lies around it. */
static bool
resolv_word(struct bytes *line, struct bytes *ret_word)
{
	size_t start = 0, end;

	while (start < line->length && resolv_is_blank(line->at[start]))
		start++;
	end = start;
	while (end < line->length && !resolv_is_blank(line->at[end]))
		end++;
	*ret_word = bytes_of(line->at + start, end - start);
	*line = bytes_skip(*line, end);
	return ret_word->length > 0;
}

static void
resolv_server(struct resolv_conf *conf, struct bytes word)
{
	struct net_address *server = &conf->servers[conf->server_count];

	if (conf->server_count == RESOLV_SERVERS_MAX)
		return;
	/* "[192.0.2.53]:5353" has brackets for IPv4 too. */
	if (word.length > 2 && word.at[0] == '[' &&
	    bytes_find(word, ']') < word.length) {
		size_t end = bytes_find(word, ']');
		struct bytes rest = bytes_skip(word, end + 1);
		uint64_t port = RESOLV_PORT;

		if (rest.length > 0 &&
		    (rest.at[0] != ':' ||
			bytes_to_u64(bytes_skip(rest, 1), UINT16_MAX, &port) <
			    0))
			return;
		if (net_address_literal(bytes_of(word.at + 1, end - 1),
			(uint16_t)port, server) == 0)
			conf->server_count++;
	} else if (net_address_literal(word, RESOLV_PORT, server) == 0) {
		conf->server_count++;
	}
}

static void
resolv_search(struct resolv_conf *conf, struct bytes line, unsigned max)
{
	struct bytes word;

	/* The last one of the file counts, search or domain. */
	conf->search_count = 0;
	while (conf->search_count < max && resolv_word(&line, &word)) {
		struct dns_name *name = &conf->search[conf->search_count];

		if (dns_name_from_text(word, name) == 0 && name->length > 1)
			conf->search_count++;
	}
}

/* "name:7" with a number up to @max, which larger ones are cut to. */
static bool
resolv_number(
    struct bytes word, struct bytes name, uint64_t max, uint64_t *ret_value)
{
	uint64_t value;

	if (!bytes_starts_with(word, name) ||
	    bytes_to_u64(bytes_skip(word, name.length), UINT32_MAX, &value) < 0)
		return false;
	*ret_value = min_of(value, max);
	return true;
}

static void
resolv_option(struct resolv_conf *conf, struct bytes word)
{
	uint64_t n;

	if (resolv_number(word, BYTES("ndots:"), RESOLV_NDOTS_MAX, &n))
		conf->ndots = (unsigned)n;
	else if (resolv_number(word, BYTES("timeout:"), RESOLV_TIMEOUT_MAX, &n))
		conf->timeout = duration_s((int64_t)max_of(n, (uint64_t)1));
	else if (resolv_number(
		     word, BYTES("attempts:"), RESOLV_ATTEMPTS_MAX, &n))
		conf->attempts = (unsigned)max_of(n, (uint64_t)1);
	else if (bytes_equal(word, BYTES("rotate")))
		conf->rotate = true;
	else if (bytes_equal(word, BYTES("use-vc")))
		conf->use_tcp = true;
	else if (bytes_equal(word, BYTES("edns0")))
		conf->edns0 = true;
}

static void
resolv_line(struct resolv_conf *conf, struct bytes line)
{
	struct bytes word;

	if (!resolv_word(&line, &word))
		return;
	if (bytes_equal(word, BYTES("nameserver"))) {
		if (resolv_word(&line, &word))
			resolv_server(conf, word);
	} else if (bytes_equal(word, BYTES("search"))) {
		resolv_search(conf, line, RESOLV_SEARCH_MAX);
	} else if (bytes_equal(word, BYTES("domain"))) {
		resolv_search(conf, line, 1);
	} else if (bytes_equal(word, BYTES("options"))) {
		while (resolv_word(&line, &word))
			resolv_option(conf, word);
	}
}

void
resolv_conf_parse(struct bytes text, struct resolv_conf *ret_conf)
{
	static const uint8_t localhost[4] = {127, 0, 0, 1};
	struct bytes line;

	*ret_conf = (struct resolv_conf){
	    .ndots = 1, .timeout = duration_s(5), .attempts = 2};
	while (bytes_split(&text, '\n', &line))
		if (line.length > 0 && line.at[0] != '#' && line.at[0] != ';')
			resolv_line(ret_conf, line);
	if (ret_conf->server_count == 0)
		ret_conf->servers[ret_conf->server_count++] =
		    net_address_ipv4(localhost, RESOLV_PORT);
}

static int
hosts_compare(const void *a, const void *b)
{
	const struct hosts_entry *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Names compare in lower case, without a dot at the end. */
static struct bytes
hosts_fold(char *at, size_t length)
{
	if (length > 1 && at[length - 1] == '.')
		length--;
	for (size_t i = 0; i < length; i++)
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] |= 0x20;
	return bytes_of(at, length);
}

static int
hosts_add(struct hosts *hosts, size_t *capacity,
    const struct net_address *address, struct bytes word)
{
	struct bytes name = hosts_fold((char *)word.at, word.length);
	struct hosts_entry *entry;

	if (hosts->count == *capacity) {
		size_t more = max_of(2 * *capacity, (size_t)32);
		struct hosts_entry *larger =
		    realloc(hosts->entries, more * sizeof(*larger));

		if (larger == NULL)
			return -ENOMEM;
		hosts->entries = larger;
		*capacity = more;
	}
	entry = &hosts->entries[hosts->count];
	*entry = (struct hosts_entry){.hash = hash_bytes(name, 0),
	    .name_at = (uint32_t)(name.at - hosts->text),
	    .name_length = (uint32_t)name.length,
	    .order = (uint32_t)hosts->count,
	    .family = (uint8_t)address->any.sa_family};
	if (entry->family == AF_INET) {
		memcpy(entry->octets, &address->in.sin_addr, 4);
	} else {
		memcpy(entry->octets, &address->in6.sin6_addr, 16);
		entry->scope = address->in6.sin6_scope_id;
	}
	hosts->count++;
	return 0;
}

int
hosts_parse(char *text_take, size_t length, struct hosts *ret_hosts)
{
	struct bytes text = {text_take, length}, line, word;
	size_t capacity = 0;

	*ret_hosts = (struct hosts){.text = text_take};
	while (bytes_split(&text, '\n', &line)) {
		struct net_address address;

		line.length = bytes_find(line, '#');
		if (!resolv_word(&line, &word) ||
		    net_address_literal(word, 0, &address) < 0)
			continue;
		while (resolv_word(&line, &word))
			if (hosts_add(ret_hosts, &capacity, &address, word) <
			    0) {
				hosts_free(ret_hosts);
				return -ENOMEM;
			}
	}
	if (ret_hosts->count > 0)
		qsort(ret_hosts->entries, ret_hosts->count,
		    sizeof(*ret_hosts->entries), hosts_compare);
	return 0;
}

void
hosts_free(struct hosts *hosts)
{
	free(hosts->text);
	free(hosts->entries);
	*hosts = (struct hosts){0};
}

unsigned
hosts_find(const struct hosts *hosts, struct bytes name,
    struct net_address *addresses, unsigned max)
{
	char memory[DNS_NAME_TEXT_BYTES];
	struct bytes folded;
	size_t low = 0, high = hosts->count;
	unsigned found = 0;
	uint64_t hash;

	if (name.length == 0 || name.length > sizeof(memory))
		return 0;
	memcpy(memory, name.at, name.length);
	folded = hosts_fold(memory, name.length);
	hash = hash_bytes(folded, 0);
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (hosts->entries[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < hosts->count && hosts->entries[low].hash == hash; low++) {
		const struct hosts_entry *entry = &hosts->entries[low];

		if (found == max ||
		    !bytes_equal(folded,
			bytes_of(
			    hosts->text + entry->name_at, entry->name_length)))
			continue;
		if (entry->family == AF_INET) {
			addresses[found] = net_address_ipv4(entry->octets, 0);
		} else {
			addresses[found] = net_address_ipv6(entry->octets, 0);
			addresses[found].in6.sin6_scope_id = entry->scope;
		}
		found++;
	}
	return found;
}
