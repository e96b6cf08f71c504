#include "wire/dns.h"

#include <stdio.h>

/* Octets of the data of one record: [at, end). */
struct dns_data {
	struct bytes message;
	size_t at;
	size_t end;
};

static uint16_t
dns_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t
dns_u32(const uint8_t *at)
{
	return (uint32_t)dns_u16(at) << 16 | dns_u16(at + 2);
}

static const uint8_t *
dns_octets(struct bytes message)
{
	return (const uint8_t *)message.at;
}

int
dns_reader_init(struct dns_reader *reader, struct bytes message)
{
	const uint8_t *at = dns_octets(message);

	if (message.length < DNS_HEADER_OCTETS)
		return E_DNS_SHORT;
	*reader = (struct dns_reader){
	    .message = message,
	    .offset = DNS_HEADER_OCTETS,
	    .header =
		{
		    .id = dns_u16(at),
		    .response = (at[2] & 0x80) != 0,
		    .opcode = at[2] >> 3 & 0xf,
		    .authoritative = (at[2] & 0x04) != 0,
		    .truncated = (at[2] & 0x02) != 0,
		    .recursion_desired = (at[2] & 0x01) != 0,
		    .recursion_available = (at[3] & 0x80) != 0,
		    .authentic = (at[3] & 0x20) != 0,
		    .checking_disabled = (at[3] & 0x10) != 0,
		    .rcode = at[3] & 0xf,
		},
	    .question_count = dns_u16(at + 4),
	    .counts = {dns_u16(at + 6), dns_u16(at + 8), dns_u16(at + 10)},
	};
	return 0;
}

int
dns_read_question(struct dns_reader *reader, struct dns_question *ret_question)
{
	size_t at = reader->offset;
	int r;

	if (reader->question_count == 0)
		return 0;
	r = dns_name_read(reader->message, &at, &ret_question->name);
	if (r < 0)
		return r;
	if (reader->message.length - at < 4)
		return E_DNS_SHORT;
	ret_question->type = dns_u16(dns_octets(reader->message) + at);
	ret_question->class = dns_u16(dns_octets(reader->message) + at + 2);
	reader->offset = at + 4;
	reader->question_count--;
	return 1;
}

static int
dns_data_take(struct dns_data *data, size_t count, const uint8_t **ret_at)
{
	if (data->end - data->at < count)
		return E_DNS_BAD_RECORD;
	*ret_at = dns_octets(data->message) + data->at;
	data->at += count;
	return 0;
}

static int
dns_data_copy(struct dns_data *data, void *into, size_t count)
{
	const uint8_t *at;
	int r = dns_data_take(data, count, &at);

	if (r == 0)
		memcpy(into, at, count);
	return r;
}

/* The name may point outside the data, its own octets end inside. */
static int
dns_data_name(struct dns_data *data, struct dns_name *ret_name)
{
	struct bytes until = {data->message.at, data->end};
	int r = dns_name_read(until, &data->at, ret_name);

	return r == E_DNS_SHORT ? E_DNS_BAD_RECORD : r;
}

static int
dns_data_mx(struct dns_data *data, struct dns_record *record)
{
	const uint8_t *at;
	int r = dns_data_take(data, 2, &at);

	if (r < 0)
		return r;
	record->data.mx.preference = dns_u16(at);
	return dns_data_name(data, &record->data.mx.exchange);
}

static int
dns_data_srv(struct dns_data *data, struct dns_record *record)
{
	const uint8_t *at;
	int r = dns_data_take(data, 6, &at);

	if (r < 0)
		return r;
	record->data.srv.priority = dns_u16(at);
	record->data.srv.weight = dns_u16(at + 2);
	record->data.srv.port = dns_u16(at + 4);
	return dns_data_name(data, &record->data.srv.target);
}

static int
dns_data_soa(struct dns_data *data, struct dns_soa *soa)
{
	const uint8_t *at;
	int r = dns_data_name(data, &soa->primary);

	if (r == 0)
		r = dns_data_name(data, &soa->mailbox);
	if (r < 0)
		return r;
	r = dns_data_take(data, 20, &at);
	if (r < 0)
		return r;
	soa->serial = dns_u32(at);
	soa->refresh = dns_u32(at + 4);
	soa->retry = dns_u32(at + 8);
	soa->expire = dns_u32(at + 12);
	soa->minimum = dns_u32(at + 16);
	return 0;
}

/* Each string has its length before it; there is at least one. */
static int
dns_data_txt(struct dns_data *data)
{
	do {
		const uint8_t *at;

		if (dns_data_take(data, 1, &at) < 0 ||
		    dns_data_take(data, at[0], &at) < 0)
			return E_DNS_BAD_RECORD;
	} while (data->at < data->end);
	return 0;
}

/* Code, length, and as many octets. */
static int
dns_data_options(struct dns_data *data)
{
	while (data->at < data->end) {
		const uint8_t *at;

		if (dns_data_take(data, 4, &at) < 0 ||
		    dns_data_take(data, dns_u16(at + 2), &at) < 0)
			return E_DNS_BAD_RECORD;
	}
	return 0;
}

static int
dns_data_read(struct dns_data *data, struct dns_record *record)
{
	switch (record->type) {
	case DNS_A:
		return dns_data_copy(data, record->data.a, 4);
	case DNS_AAAA:
		return dns_data_copy(data, record->data.aaaa, 16);
	case DNS_CNAME:
	case DNS_NS:
	case DNS_PTR:
		return dns_data_name(data, &record->data.target);
	case DNS_MX:
		return dns_data_mx(data, record);
	case DNS_SRV:
		return dns_data_srv(data, record);
	case DNS_SOA:
		return dns_data_soa(data, &record->data.soa);
	case DNS_TXT:
		return dns_data_txt(data);
	case DNS_OPT:
		return dns_data_options(data);
	default:
		data->at = data->end;
		return 0;
	}
}

static int
dns_opt_read(struct dns_reader *reader, struct dns_record *record)
{
	if (reader->opt_seen || record->section != DNS_ADDITIONAL ||
	    record->name.length != 1)
		return E_DNS_BAD_RECORD;
	reader->opt_seen = true;
	record->data.opt = (struct dns_opt){
	    .udp_octets = record->class,
	    .rcode_high = (uint8_t)(record->ttl >> 24),
	    .version = (uint8_t)(record->ttl >> 16),
	    .dnssec_ok = (record->ttl & 0x8000) != 0,
	};
	return 0;
}

/* Name, type, class, TTL, length; *@ret_data spans the data. */
static int
dns_record_head(struct dns_reader *reader, struct dns_record *record,
    struct dns_data *ret_data)
{
	size_t offset = reader->offset, length;
	const uint8_t *at;
	int r = dns_name_read(reader->message, &offset, &record->name);

	if (r < 0)
		return r;
	if (reader->message.length - offset < 10)
		return E_DNS_SHORT;
	at = dns_octets(reader->message) + offset;
	record->type = dns_u16(at);
	record->class = dns_u16(at + 2);
	record->ttl = dns_u32(at + 4);
	length = dns_u16(at + 8);
	offset += 10;
	if (reader->message.length - offset < length)
		return E_DNS_SHORT;
	record->raw = bytes_of(reader->message.at + offset, length);
	*ret_data = (struct dns_data){reader->message, offset, offset + length};
	return 0;
}

/* 1 with the section of the next record, 0 when there is none. */
static int
dns_section_next(struct dns_reader *reader, enum dns_section *ret_section)
{
	for (unsigned section = 0; section < DNS_SECTIONS; section++) {
		if (reader->counts[section] == 0)
			continue;
		*ret_section = (enum dns_section)section;
		return 1;
	}
	return reader->offset == reader->message.length ? 0 : E_DNS_BAD_RECORD;
}

int
dns_read_record(struct dns_reader *reader, struct dns_record *ret_record)
{
	struct dns_record *record = ret_record;
	struct dns_data data;
	int r;

	while (reader->question_count > 0) {
		struct dns_question question;

		r = dns_read_question(reader, &question);
		if (r < 0)
			return r;
	}
	r = dns_section_next(reader, &record->section);
	if (r <= 0)
		return r;
	r = dns_record_head(reader, record, &data);
	if (r == 0 && record->type == DNS_OPT)
		r = dns_opt_read(reader, record);
	else if (record->ttl > INT32_MAX)
		record->ttl = 0;
	/* The data of another class than IN has a form we do not know. */
	if (r == 0 &&
	    (record->class == DNS_CLASS_IN || record->type == DNS_OPT)) {
		r = dns_data_read(&data, record);
		if (r == 0 && data.at != data.end)
			r = E_DNS_BAD_RECORD;
	}
	if (r < 0)
		return r;
	reader->offset = data.end;
	reader->counts[record->section]--;
	return 1;
}

bool
dns_txt_next(struct bytes *raw, struct bytes *ret_text)
{
	size_t length;

	if (raw->length == 0)
		return false;
	length = (uint8_t)raw->at[0];
	if (length > raw->length - 1)
		return false;
	*ret_text = bytes_of(raw->at + 1, length);
	*raw = bytes_skip(*raw, 1 + length);
	return true;
}

const char *
dns_type_text(uint16_t type, char room[DNS_WORD_BYTES])
{
	switch (type) {
#define NAMED(type)                                                            \
	case DNS_##type:                                                       \
		return #type
		NAMED(A);
		NAMED(NS);
		NAMED(CNAME);
		NAMED(SOA);
		NAMED(PTR);
		NAMED(MX);
		NAMED(TXT);
		NAMED(AAAA);
		NAMED(SRV);
		NAMED(OPT);
		NAMED(ANY);
	default:
		snprintf(room, DNS_WORD_BYTES, "TYPE%u", type);
		return room;
	}
}

const char *
dns_rcode_text(unsigned rcode, char room[DNS_WORD_BYTES])
{
	switch (rcode) {
		NAMED(NOERROR);
		NAMED(FORMERR);
		NAMED(SERVFAIL);
		NAMED(NXDOMAIN);
		NAMED(NOTIMP);
		NAMED(REFUSED);
#undef NAMED
	default:
		snprintf(room, DNS_WORD_BYTES, "RCODE%u", rcode & 0xfff);
		return room;
	}
}
