/*
 * dns_write.c - messages written with compression
 *
 * A name is looked for among the places where earlier names, or the ends of
 * them, stand; letters must match in their case, so that a reader gets back
 * the name that was written. Places beyond DNS_WRITER_PLACES and beyond the
 * 14 bits of a pointer are not remembered: the message is then longer, not
 * wrong.
 */
#include "wire/dns.h"

#include <errno.h>

#define DNS_POINTER_MAX 0x3fff

static bool
dns_put(struct dns_writer *writer, const void *from, size_t length)
{
	if (length > writer->capacity - writer->length)
		return false;
	if (length != 0)
		memcpy(writer->at + writer->length, from, length);
	writer->length += length;
	return true;
}

static bool
dns_put_u16(struct dns_writer *writer, unsigned value)
{
	const uint8_t octets[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	return dns_put(writer, octets, sizeof(octets));
}

static bool
dns_put_u32(struct dns_writer *writer, uint32_t value)
{
	return dns_put_u16(writer, value >> 16) &&
	    dns_put_u16(writer, value & 0xffff);
}

/* Whether the name that stands at @place is @octets, in @length of them. */
static bool
dns_place_is(const struct dns_writer *writer, size_t place,
    const uint8_t *octets, unsigned length)
{
	unsigned at = 0;

	for (;;) {
		unsigned count = writer->at[place];

		if ((count & 0xc0) == 0xc0) {
			place =
			    (size_t)(count & 0x3f) << 8 | writer->at[place + 1];
			continue;
		}
		if (at + count + 1 > length ||
		    memcmp(writer->at + place, octets + at, count + 1) != 0)
			return false;
		at += count + 1;
		place += count + 1;
		if (count == 0)
			return at == length;
	}
}

static bool
dns_place_find(const struct dns_writer *writer, const uint8_t *octets,
    unsigned length, unsigned *ret_place)
{
	for (unsigned i = 0; i < writer->place_count; i++) {
		if (!dns_place_is(writer, writer->places[i], octets, length))
			continue;
		*ret_place = writer->places[i];
		return true;
	}
	return false;
}

static void
dns_place_add(struct dns_writer *writer, size_t place)
{
	if (writer->place_count < DNS_WRITER_PLACES && place <= DNS_POINTER_MAX)
		writer->places[writer->place_count++] = (uint16_t)place;
}

static bool
dns_put_name(struct dns_writer *writer, const struct dns_name *name)
{
	unsigned at = 0, place;

	while (name->octets[at] != 0) {
		unsigned count = 1u + name->octets[at];

		if (dns_place_find(
			writer, name->octets + at, name->length - at, &place))
			return dns_put_u16(writer, 0xc000 | place);
		if (!dns_put(writer, name->octets + at, count))
			return false;
		at += count;
	}
	return dns_put(writer, "", 1);
}

/* Remember every label of the name that stands at @start, whole. */
static void
dns_places_add(struct dns_writer *writer, size_t start)
{
	while (writer->at[start] != 0 && (writer->at[start] & 0xc0) == 0) {
		dns_place_add(writer, start);
		start += 1u + writer->at[start];
	}
}

static bool
dns_put_name_known(struct dns_writer *writer, const struct dns_name *name)
{
	size_t start = writer->length;

	if (!dns_put_name(writer, name))
		return false;
	dns_places_add(writer, start);
	return true;
}

void
dns_writer_init(struct dns_writer *writer, void *memory, size_t capacity,
    const struct dns_header *header)
{
	must(capacity >= DNS_HEADER_OCTETS);
	*writer = (struct dns_writer){
	    .at = memory,
	    .length = DNS_HEADER_OCTETS,
	    .capacity = min_of(capacity, (size_t)DNS_MESSAGE_OCTETS),
	    .header = *header,
	};
}

int
dns_write_question(
    struct dns_writer *writer, const struct dns_question *question)
{
	size_t length = writer->length;
	unsigned places = writer->place_count;

	must(writer->counts[DNS_ANSWER] + writer->counts[DNS_AUTHORITY] +
		writer->counts[DNS_ADDITIONAL] ==
	    0);
	if (dns_put_name_known(writer, &question->name) &&
	    dns_put_u16(writer, question->type) &&
	    dns_put_u16(writer, question->class)) {
		writer->question_count++;
		return 0;
	}
	writer->length = length;
	writer->place_count = places;
	return -ENOSPC;
}

static bool
dns_put_soa(struct dns_writer *writer, const struct dns_soa *soa)
{
	return dns_put_name_known(writer, &soa->primary) &&
	    dns_put_name_known(writer, &soa->mailbox) &&
	    dns_put_u32(writer, soa->serial) &&
	    dns_put_u32(writer, soa->refresh) &&
	    dns_put_u32(writer, soa->retry) &&
	    dns_put_u32(writer, soa->expire) &&
	    dns_put_u32(writer, soa->minimum);
}

static bool
dns_put_srv(struct dns_writer *writer, const struct dns_record *record)
{
	const struct dns_name *target = &record->data.srv.target;

	return dns_put_u16(writer, record->data.srv.priority) &&
	    dns_put_u16(writer, record->data.srv.weight) &&
	    dns_put_u16(writer, record->data.srv.port) &&
	    dns_put(writer, target->octets, target->length);
}

static bool
dns_put_data(struct dns_writer *writer, const struct dns_record *record)
{
	if (record->class != DNS_CLASS_IN)
		return dns_put(writer, record->raw.at, record->raw.length);
	switch (record->type) {
	case DNS_A:
		return dns_put(writer, record->data.a, 4);
	case DNS_AAAA:
		return dns_put(writer, record->data.aaaa, 16);
	case DNS_CNAME:
	case DNS_NS:
	case DNS_PTR:
		return dns_put_name_known(writer, &record->data.target);
	case DNS_MX:
		return dns_put_u16(writer, record->data.mx.preference) &&
		    dns_put_name_known(writer, &record->data.mx.exchange);
	case DNS_SRV:
		return dns_put_srv(writer, record);
	case DNS_SOA:
		return dns_put_soa(writer, &record->data.soa);
	default:
		return dns_put(writer, record->raw.at, record->raw.length);
	}
}

static uint32_t
dns_opt_ttl(const struct dns_opt *opt)
{
	return (uint32_t)opt->rcode_high << 24 | (uint32_t)opt->version << 16 |
	    (opt->dnssec_ok ? 0x8000u : 0);
}

static bool
dns_put_record(struct dns_writer *writer, const struct dns_record *record)
{
	bool opt = record->type == DNS_OPT;
	size_t length_at, length;

	if (!dns_put_name_known(writer, &record->name) ||
	    !dns_put_u16(writer, record->type) ||
	    !dns_put_u16(
		writer, opt ? record->data.opt.udp_octets : record->class) ||
	    !dns_put_u32(
		writer, opt ? dns_opt_ttl(&record->data.opt) : record->ttl))
		return false;
	length_at = writer->length;
	if (!dns_put_u16(writer, 0))
		return false;
	if (opt ? !dns_put(writer, record->raw.at, record->raw.length)
		: !dns_put_data(writer, record))
		return false;
	length = writer->length - length_at - 2;
	writer->at[length_at] = (uint8_t)(length >> 8);
	writer->at[length_at + 1] = (uint8_t)length;
	return true;
}

int
dns_write_record(struct dns_writer *writer, const struct dns_record *record)
{
	size_t length = writer->length;
	unsigned places = writer->place_count;

	must(record->section >= writer->section);
	if (writer->header.truncated && record->type != DNS_OPT)
		return -ENOSPC;
	if (writer->counts[record->section] != UINT16_MAX &&
	    dns_put_record(writer, record)) {
		writer->section = record->section;
		writer->counts[record->section]++;
		return 0;
	}
	writer->length = length;
	writer->place_count = places;
	if (record->section != DNS_ADDITIONAL)
		writer->header.truncated = true;
	return -ENOSPC;
}

size_t
dns_writer_end(struct dns_writer *writer)
{
	const struct dns_header *header = &writer->header;
	size_t length = writer->length;

	writer->length = 0;
	(void)!dns_put_u16(writer, header->id);
	(void)!dns_put_u16(writer,
	    (header->response ? 0x8000u : 0) |
		(unsigned)(header->opcode & 0xf) << 11 |
		(header->authoritative ? 0x0400u : 0) |
		(header->truncated ? 0x0200u : 0) |
		(header->recursion_desired ? 0x0100u : 0) |
		(header->recursion_available ? 0x0080u : 0) |
		(header->authentic ? 0x0020u : 0) |
		(header->checking_disabled ? 0x0010u : 0) |
		(header->rcode & 0xfu));
	(void)!dns_put_u16(writer, writer->question_count);
	for (unsigned i = 0; i < DNS_SECTIONS; i++)
		(void)!dns_put_u16(writer, writer->counts[i]);
	must(writer->length == DNS_HEADER_OCTETS);
	writer->length = length;
	return length;
}
