/*
 * dns.c - any message is read or refused; what was read is written and read
 * again as it was; names survive their text
 */
#include <stdlib.h>

#include "wire/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_name(const struct dns_name *name)
{
	static char memory[DNS_NAME_TEXT_BYTES];
	struct appender text = appender_over(memory, sizeof(memory));
	struct dns_name again;

	must(name->length >= 1 && name->octets[name->length - 1] == 0);
	dns_name_to_text(name, &text);
	must(!text.overflowed);
	must(dns_name_from_text(appender_bytes(&text), &again) == 0);
	must(dns_name_equal_case(name, &again));
	must(dns_name_within(name, name));
}

static bool
records_equal(const struct dns_record *a, const struct dns_record *b)
{
	if (a->type == DNS_OPT)
		return b->type == DNS_OPT && bytes_equal(a->raw, b->raw) &&
		    a->data.opt.udp_octets == b->data.opt.udp_octets &&
		    a->data.opt.rcode_high == b->data.opt.rcode_high &&
		    a->data.opt.version == b->data.opt.version &&
		    a->data.opt.dnssec_ok == b->data.opt.dnssec_ok;
	if (!dns_name_equal_case(&a->name, &b->name) || a->type != b->type ||
	    a->class != b->class || a->ttl != b->ttl ||
	    a->section != b->section)
		return false;
	switch (a->class == DNS_CLASS_IN ? a->type : 0) {
	case DNS_CNAME:
	case DNS_NS:
	case DNS_PTR:
		return dns_name_equal_case(&a->data.target, &b->data.target);
	case DNS_MX:
		return a->data.mx.preference == b->data.mx.preference &&
		    dns_name_equal_case(
			&a->data.mx.exchange, &b->data.mx.exchange);
	case DNS_SRV:
		return a->data.srv.priority == b->data.srv.priority &&
		    a->data.srv.weight == b->data.srv.weight &&
		    a->data.srv.port == b->data.srv.port &&
		    dns_name_equal_case(
			&a->data.srv.target, &b->data.srv.target);
	case DNS_SOA:
		return dns_name_equal_case(
			   &a->data.soa.primary, &b->data.soa.primary) &&
		    dns_name_equal_case(
			&a->data.soa.mailbox, &b->data.soa.mailbox) &&
		    a->data.soa.serial == b->data.soa.serial &&
		    a->data.soa.minimum == b->data.soa.minimum;
	default:
		return bytes_equal(a->raw, b->raw);
	}
}

/* The message once more, by the writer. It may be larger than the one read,
 * whose pointers nobody asked to make sense; then it is truncated. */
static size_t
write_again(struct bytes message, uint8_t *into, bool *ret_whole)
{
	struct dns_reader reader;
	struct dns_writer writer;
	struct dns_question question;
	struct dns_record record;

	must(dns_reader_init(&reader, message) == 0);
	dns_writer_init(&writer, into, DNS_MESSAGE_OCTETS, &reader.header);
	writer.header.truncated = false;
	*ret_whole = true;
	while (dns_read_question(&reader, &question) == 1)
		if (dns_write_question(&writer, &question) < 0)
			*ret_whole = false;
	while (dns_read_record(&reader, &record) == 1)
		if (dns_write_record(&writer, &record) < 0)
			*ret_whole = false;
	return dns_writer_end(&writer);
}

static void
compare(struct bytes message, struct bytes written)
{
	struct dns_reader a, b;
	struct dns_question question[2];
	struct dns_record record[2];
	int r;

	must(dns_reader_init(&a, message) == 0);
	must(dns_reader_init(&b, written) == 0);
	must(a.header.id == b.header.id && a.header.rcode == b.header.rcode);
	while ((r = dns_read_question(&a, &question[0])) == 1) {
		must(dns_read_question(&b, &question[1]) == 1);
		must(dns_name_equal_case(&question[0].name, &question[1].name));
		must(question[0].type == question[1].type);
	}
	must(r == 0);
	while ((r = dns_read_record(&a, &record[0])) == 1) {
		must(dns_read_record(&b, &record[1]) == 1);
		must(records_equal(&record[0], &record[1]));
	}
	must(r == 0 && dns_read_record(&b, &record[1]) == 0);
}

static bool
readable(struct bytes message)
{
	struct dns_reader reader;
	struct dns_question question;
	struct dns_record record;
	int r;

	if (dns_reader_init(&reader, message) < 0)
		return false;
	while ((r = dns_read_question(&reader, &question)) == 1)
		check_name(&question.name);
	while (r == 0 && (r = dns_read_record(&reader, &record)) == 1) {
		check_name(&record.name);
		r = 0;
	}
	return r == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[DNS_MESSAGE_OCTETS];
	struct bytes message = {(const char *)data, size};
	struct dns_name name;
	size_t length;
	bool whole;

	if (dns_name_from_text(message, &name) == 0)
		check_name(&name);
	if (size > DNS_MESSAGE_OCTETS || !readable(message))
		return 0;
	length = write_again(message, memory, &whole);
	must(readable(bytes_of((char *)memory, length)));
	if (whole)
		compare(message, bytes_of((char *)memory, length));
	return 0;
}
