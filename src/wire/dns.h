/*
 * dns.h - DNS messages: read strictly, written with compression
 *
 * Layer      wire
 * Memory     a reader and a writer work on the caller's buffer; a record is
 *            about 0.6 KB in the caller's struct
 * Limits     DNS_NAME_HOPS_MAX pointers a name; a record's data is used up to
 *            its last octet or the message is malformed
 * Sources    RFC 1035, 2308 (negative answers), 2782 (SRV), 3596 (AAAA), 3597
 *            (types we do not know), 6891 (EDNS0), 9267 (what readers got
 * wrong)
 */
#pragma once

#include "wire/dns_name.h"

#define DNS_HEADER_OCTETS  12
#define DNS_MESSAGE_OCTETS 65535 /* over TCP */
#define DNS_UDP_OCTETS     512 /* without EDNS0 (RFC 1035 §2.3.4) */
/* With EDNS0: nothing is fragmented on the way (DNS flag day 2020). */
#define DNS_EDNS_OCTETS 1232

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
	DNS_ANY = 255,
};

enum { DNS_CLASS_IN = 1 };

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
};

enum dns_section { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL, DNS_SECTIONS };

/* Without the counts, which the reader and the writer keep. */
struct dns_header {
	uint16_t id;
	bool response; /* QR */
	uint8_t opcode; /* 0: QUERY */
	bool authoritative; /* AA */
	bool truncated; /* TC */
	bool recursion_desired; /* RD */
	bool recursion_available; /* RA */
	bool authentic; /* AD */
	bool checking_disabled; /* CD */
	uint8_t rcode; /* its low four bits; the rest is in OPT */
};

struct dns_question {
	struct dns_name name;
	uint16_t type;
	uint16_t class;
};

struct dns_soa {
	struct dns_name primary;
	struct dns_name mailbox;
	uint32_t serial, refresh, retry, expire, minimum;
};

/* EDNS0: what an OPT record says with its class and TTL. */
struct dns_opt {
	uint16_t udp_octets; /* that the sender can receive */
	uint8_t rcode_high;
	uint8_t version;
	bool dnssec_ok;
};

struct dns_record {
	struct dns_name name;
	uint16_t type;
	uint16_t class; /* OPT: in data.opt */
	uint32_t ttl; /* seconds, up to 2^31 - 1; above that 0 (RFC 2181 §8) */
	enum dns_section section;
	/* The data as it stands in the message: of TXT, OPT (its options) and
	 * types not known here all that there is, and what is written. */
	struct bytes raw;
	union {
		uint8_t a[4];
		uint8_t aaaa[16];
		struct dns_name target; /* CNAME, NS, PTR */
		struct {
			uint16_t preference;
			struct dns_name exchange;
		} mx;
		struct {
			uint16_t priority, weight, port;
			struct dns_name target;
		} srv;
		struct dns_soa soa;
		struct dns_opt opt;
	} data;
};

struct dns_reader {
	struct bytes message; /* borrowed */
	size_t offset;
	struct dns_header header;
	uint16_t question_count; /* not read yet */
	uint16_t counts[DNS_SECTIONS]; /* not read yet */
	bool opt_seen;
};

/* The header, and a reader behind it. Returns 0, E_DNS_SHORT. */
MUST_CHECK
int dns_reader_init(struct dns_reader *reader, struct bytes message);

/* Questions come first. 1, 0 when none is left, or an error (E_DNS_*). */
MUST_CHECK
int
dns_read_question(struct dns_reader *reader, struct dns_question *ret_question);

/*
 * dns_read_record - the next record of the sections, in their order
 *
 * Questions that were not read are skipped. Octets behind the last record, a
 * second OPT and an OPT outside the additional section are mistakes.
 *
 * Returns  1; 0 when none is left; E_DNS_SHORT, E_DNS_BAD_NAME,
 *          E_DNS_BAD_POINTER, E_DNS_BAD_RECORD, and then the reader must not
 *          be used any more
 */
MUST_CHECK
int dns_read_record(struct dns_reader *reader, struct dns_record *ret_record);

/* The next string of a TXT record's raw data. 1, 0 at the end. */
bool dns_txt_next(struct bytes *raw, struct bytes *ret_text);

/* Names whose place in the message is known. */
#define DNS_WRITER_PLACES 64

struct dns_writer {
	uint8_t *at;
	size_t length;
	size_t capacity;
	struct dns_header header;
	uint16_t question_count;
	uint16_t counts[DNS_SECTIONS];
	enum dns_section section; /* of the last record */
	unsigned place_count;
	uint16_t places[DNS_WRITER_PLACES];
};

/* @capacity  DNS_HEADER_OCTETS at least; DNS_MESSAGE_OCTETS are used at most,
 *            and it is the size at which the message is truncated */
void dns_writer_init(struct dns_writer *writer, void *memory, size_t capacity,
    const struct dns_header *header);

/* Before any record. Returns 0, -ENOSPC. */
MUST_CHECK
int dns_write_question(
    struct dns_writer *writer, const struct dns_question *question);

/*
 * dns_write_record - one record, whole or not at all
 *
 * Sections in their order. A record of the answer or authority section that
 * does not fit sets TC, and so that no later, smaller one is mistaken for the
 * whole, every further record but OPT is refused too. Names are compressed but
 * in SRV (RFC 2782) and in data passed through.
 *
 * Returns  0, -ENOSPC
 */
MUST_CHECK
int
dns_write_record(struct dns_writer *writer, const struct dns_record *record);

/* The header with its counts; the length of the message. */
size_t dns_writer_end(struct dns_writer *writer);

/* Whole octets kept back for an OPT at the end are the caller's capacity:
 * a bare one takes this many. */
#define DNS_OPT_OCTETS 11

/* "AAAA", "NXDOMAIN"; "TYPE1234", "RCODE12" in @room for what has no name
 * here. */
#define DNS_WORD_BYTES 12
const char *dns_type_text(uint16_t type, char room[DNS_WORD_BYTES]);
const char *dns_rcode_text(unsigned rcode, char room[DNS_WORD_BYTES]);
