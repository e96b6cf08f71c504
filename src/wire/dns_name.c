#include "wire/dns_name.h"

#include "wire/dns.h"

static uint8_t
dns_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool
dns_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The octet at the start of *@text, which an escape may stand for. */
static int
dns_text_octet(struct bytes *text, uint8_t *ret_octet)
{
	const char *at = text->at;
	unsigned value;

	if (at[0] != '\\') {
		*ret_octet = (uint8_t)at[0];
		*text = bytes_skip(*text, 1);
		return 0;
	}
	if (text->length < 2)
		return E_DNS_BAD_NAME;
	if (!dns_is_digit(at[1])) {
		*ret_octet = (uint8_t)at[1];
		*text = bytes_skip(*text, 2);
		return 0;
	}
	if (text->length < 4 || !dns_is_digit(at[2]) || !dns_is_digit(at[3]))
		return E_DNS_BAD_NAME;
	value = (unsigned)(at[1] - '0') * 100 + (unsigned)(at[2] - '0') * 10 +
	    (unsigned)(at[3] - '0');
	if (value > 255)
		return E_DNS_BAD_NAME;
	*ret_octet = (uint8_t)value;
	*text = bytes_skip(*text, 4);
	return 0;
}

/* A label of @text, and the dot behind it. @name->length is where its length
 * octet goes. */
static int
dns_text_label(struct bytes *text, struct dns_name *name)
{
	unsigned start = name->length, count = 0;

	while (text->length > 0) {
		uint8_t octet;

		if (text->at[0] == '.') {
			*text = bytes_skip(*text, 1);
			break;
		}
		if (dns_text_octet(text, &octet) < 0)
			return E_DNS_BAD_NAME;
		/* Room for it, and for the root behind it. */
		if (++count > DNS_LABEL_OCTETS ||
		    start + count + 1 >= DNS_NAME_OCTETS)
			return E_DNS_BAD_NAME;
		name->octets[start + count] = octet;
	}
	if (count == 0)
		return E_DNS_BAD_NAME;
	name->octets[start] = (uint8_t)count;
	name->length = (uint8_t)(start + 1 + count);
	return 0;
}

int
dns_name_from_text(struct bytes text, struct dns_name *ret_name)
{
	struct dns_name name;

	dns_name_init(&name);
	if (bytes_equal(text, BYTES("."))) {
		*ret_name = name;
		return 0;
	}
	if (text.length == 0)
		return E_DNS_BAD_NAME;
	name.length = 0;
	while (text.length > 0) {
		int r = dns_text_label(&text, &name);

		if (r < 0)
			return r;
	}
	name.octets[name.length++] = 0;
	*ret_name = name;
	return 0;
}

static void
dns_octet_to_text(uint8_t octet, struct appender *into)
{
	if (octet == '.' || octet == '\\') {
		append_char(into, '\\');
		append_char(into, (char)octet);
	} else if (octet > ' ' && octet < 0x7f) {
		append_char(into, (char)octet);
	} else {
		append_format(into, "\\%03u", octet);
	}
}

void
dns_name_to_text(const struct dns_name *name, struct appender *into)
{
	unsigned at = 0;

	if (name->length == 1)
		append_char(into, '.');
	while (name->octets[at] != 0) {
		unsigned end = at + 1 + name->octets[at];

		if (at != 0)
			append_char(into, '.');
		for (at++; at < end; at++)
			dns_octet_to_text(name->octets[at], into);
	}
}

/* Length octets are below 'A': folding leaves them alone. */
static bool
dns_octets_equal(const uint8_t *a, const uint8_t *b, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (dns_lower(a[i]) != dns_lower(b[i]))
			return false;
	return true;
}

bool
dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->length == b->length &&
	    dns_octets_equal(a->octets, b->octets, a->length);
}

bool
dns_name_equal_case(const struct dns_name *a, const struct dns_name *b)
{
	return a->length == b->length &&
	    memcmp(a->octets, b->octets, a->length) == 0;
}

bool
dns_name_within(const struct dns_name *name, const struct dns_name *zone)
{
	unsigned at = 0;

	/* At the boundary of a label only: notexample.com is not beneath
	 * example.com. */
	while ((unsigned)name->length - at > zone->length)
		at += 1u + name->octets[at];
	return (unsigned)name->length - at == zone->length &&
	    dns_octets_equal(name->octets + at, zone->octets, zone->length);
}

unsigned
dns_name_labels(const struct dns_name *name)
{
	unsigned count = 0;

	for (unsigned at = 0; name->octets[at] != 0; count++)
		at += 1u + name->octets[at];
	return count;
}

int
dns_name_join(struct dns_name *name, const struct dns_name *suffix)
{
	unsigned length = name->length - 1u + suffix->length;

	if (length > DNS_NAME_OCTETS)
		return E_DNS_BAD_NAME;
	memcpy(name->octets + name->length - 1, suffix->octets, suffix->length);
	name->length = (uint8_t)length;
	return 0;
}

void
dns_name_fold(struct dns_name *name)
{
	for (unsigned i = 0; i < name->length; i++)
		name->octets[i] = dns_lower(name->octets[i]);
}

void
dns_name_vary(struct dns_name *name, const uint8_t *bits, size_t count)
{
	size_t letter = 0;

	for (unsigned i = 0; i < name->length; i++) {
		uint8_t c = dns_lower(name->octets[i]);

		if (c < 'a' || c > 'z' || count == 0)
			continue;
		if ((bits[letter / 8 % count] >> letter % 8 & 1) != 0)
			c &= (uint8_t)~0x20;
		name->octets[i] = c;
		letter++;
	}
}

uint64_t
dns_name_hash(const struct dns_name *name, uint64_t seed)
{
	uint64_t hash = seed;

	for (unsigned i = 0; i < name->length; i++)
		hash = (hash ^ dns_lower(name->octets[i])) * 0x100000001b3u;
	hash ^= hash >> 29;
	hash *= 0xbf58476d1ce4e5b9u;
	return hash ^ hash >> 32;
}

/* The two octets of a pointer at @at. */
static int
dns_pointer(struct bytes message, size_t at, size_t before, size_t *ret_target)
{
	const uint8_t *octets = (const uint8_t *)message.at;
	size_t target;

	if (at + 2 > message.length)
		return E_DNS_SHORT;
	target = (size_t)(octets[at] & 0x3f) << 8 | octets[at + 1];
	if (target < DNS_HEADER_OCTETS || target >= before)
		return E_DNS_BAD_POINTER;
	*ret_target = target;
	return 0;
}

int
dns_name_read(struct bytes message, size_t *offset, struct dns_name *ret_name)
{
	const uint8_t *octets = (const uint8_t *)message.at;
	size_t at = *offset, start = at, end = 0;
	unsigned hops = 0, length = 0;

	for (;;) {
		unsigned count;
		int r;

		if (at >= message.length)
			return E_DNS_SHORT;
		count = octets[at];
		if ((count & 0xc0) == 0xc0) {
			if (end == 0)
				end = at + 2;
			r = dns_pointer(message, at, start, &at);
			if (r < 0)
				return r;
			if (++hops > DNS_NAME_HOPS_MAX)
				return E_DNS_BAD_POINTER;
			start = at;
			continue;
		}
		/* 0x40 and 0x80 were never used for long. */
		if (count > DNS_LABEL_OCTETS ||
		    length + 1 + count + (count != 0) > DNS_NAME_OCTETS)
			return E_DNS_BAD_NAME;
		if (count + 1 > message.length - at)
			return E_DNS_SHORT;
		memcpy(ret_name->octets + length, octets + at, count + 1);
		length += count + 1;
		at += count + 1;
		if (count == 0)
			break;
	}
	ret_name->length = (uint8_t)length;
	*offset = end != 0 ? end : at;
	return 0;
}
