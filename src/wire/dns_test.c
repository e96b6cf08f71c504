#include "wire/dns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct dns_name
name_of(const char *text)
{
	struct dns_name name;

	assert_int_equal(dns_name_from_text(bytes_from(text), &name), 0);
	return name;
}

static const char *
text_of(const struct dns_name *name)
{
	static char memory[DNS_NAME_TEXT_BYTES + 1];
	struct appender into = appender_over(memory, sizeof(memory) - 1);

	dns_name_to_text(name, &into);
	assert_false(into.overflowed);
	memory[into.length] = '\0';
	return memory;
}

static void
names_as_text(void **state)
{
	static const struct {
		const char *given, *text; /* NULL: refused */
		unsigned length, labels;
	} cases[] = {
	    {".", ".", 1, 0},
	    {"a", "a", 3, 1},
	    {"a.", "a", 3, 1},
	    {"www.Example.COM", "www.Example.COM", 17, 3},
	    {"a\\.b.c", "a\\.b.c", 7, 2},
	    {"\\097b", "ab", 4, 1},
	    {"a\\\\", "a\\\\", 4, 1},
	    {"\\000\\255 ", "\\000\\255\\032", 5, 1},
	    {"_sip._tcp.x", "_sip._tcp.x", 13, 3},
	    {"", NULL, 0, 0},
	    {"..", NULL, 0, 0},
	    {".a", NULL, 0, 0},
	    {"a..b", NULL, 0, 0},
	    {"a\\", NULL, 0, 0},
	    {"a\\25", NULL, 0, 0},
	    {"a\\256", NULL, 0, 0},
	};

	for (size_t i = 0; i < array_count(cases); i++) {
		struct dns_name name;
		int r = dns_name_from_text(bytes_from(cases[i].given), &name);

		if (cases[i].text == NULL) {
			assert_int_equal(r, E_DNS_BAD_NAME);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(text_of(&name), cases[i].text);
		assert_int_equal(name.length, cases[i].length);
		assert_int_equal(dns_name_labels(&name), cases[i].labels);
	}
}

/* 63 octets a label, 255 a name, and not one more. */
static void
name_limits(void **state)
{
	char text[300];
	struct dns_name name, one = name_of("a");

	memset(text, 'x', sizeof(text));
	text[63] = text[127] = text[191] = '.';
	assert_int_equal(dns_name_from_text(bytes_of(text, 63), &name), 0);
	assert_int_equal(dns_name_from_text(bytes_of(text, 253), &name), 0);
	assert_int_equal(name.length, 255);
	assert_int_equal(
	    dns_name_from_text(bytes_of(text, 254), &name), E_DNS_BAD_NAME);
	assert_int_equal(dns_name_join(&name, &one), E_DNS_BAD_NAME);
	text[63] = 'x';
	assert_int_equal(
	    dns_name_from_text(bytes_of(text, 64), &name), E_DNS_BAD_NAME);
	assert_int_equal(
	    dns_name_from_text(bytes_of(text + 64, 187), &name), 0);
	assert_int_equal(dns_name_join(&one, &name), 0);
	assert_int_equal(one.length, 1 + 1 + 189);
}

static void
name_relations(void **state)
{
	struct dns_name a = name_of("www.Example.com"),
			b = name_of("WWW.example.COM"),
			zone = name_of("example.com"),
			other = name_of("notexample.com"), root = name_of(".");
	const uint8_t bits[1] = {0x05};

	assert_true(dns_name_equal(&a, &b));
	assert_false(dns_name_equal_case(&a, &b));
	assert_int_equal(dns_name_hash(&a, 7), dns_name_hash(&b, 7));
	assert_true(dns_name_within(&a, &zone));
	assert_true(dns_name_within(&zone, &zone));
	assert_true(dns_name_within(&a, &root));
	assert_false(dns_name_within(&other, &zone));
	assert_false(dns_name_within(&zone, &a));
	dns_name_fold(&b);
	assert_string_equal(text_of(&b), "www.example.com");
	dns_name_vary(&b, bits, sizeof(bits));
	assert_string_equal(text_of(&b), "WwW.exampLe.Com");
	assert_true(dns_name_equal(&a, &b));
}

/* A question for example.com and what follows it. */
#define HEADER(qd, an, ns, ar) "\x12\x34\x81\x80\0" qd "\0" an "\0" ns "\0" ar
#define QUESTION               "\7example\3com\0\0\1\0\1"

static int
read_all(const char *octets, size_t length, unsigned *ret_records)
{
	struct dns_reader reader;
	struct dns_record record;
	int r = dns_reader_init(&reader, bytes_of(octets, length));

	*ret_records = 0;
	while (r == 0) {
		r = dns_read_record(&reader, &record);
		if (r <= 0)
			break;
		++*ret_records;
		r = 0;
	}
	return r;
}

static void
messages(void **state)
{
#define M(octets) octets, sizeof(octets) - 1
	static const struct {
		const char *octets;
		size_t length;
		int result;
		unsigned records;
	} cases[] = {
	    {M(""), E_DNS_SHORT, 0},
	    {M("\x12\x34\x81\x80\0\0\0\0\0\0\0"), E_DNS_SHORT, 0},
	    {M(HEADER("\0", "\0", "\0", "\0")), 0, 0},
	    {M(HEADER("\1", "\0", "\0", "\0") QUESTION), 0, 0},
	    {M(HEADER("\2", "\0", "\0", "\0") QUESTION), E_DNS_SHORT, 0},
	    /* One octet too many. */
	    {M(HEADER("\1", "\0", "\0", "\0") QUESTION "x"), E_DNS_BAD_RECORD,
		0},
	    {M(HEADER("\1", "\1", "\0", "\0") QUESTION
		 "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"),
		0, 1},
	    /* An address of five octets, of three, data beyond the end. */
	    {M(HEADER("\1", "\1", "\0", "\0") QUESTION
		 "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\5\xc0\0\2\1\1"),
		E_DNS_BAD_RECORD, 0},
	    {M(HEADER("\1", "\1", "\0", "\0") QUESTION
		 "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\3\xc0\0\2"),
		E_DNS_BAD_RECORD, 0},
	    {M(HEADER("\1", "\1", "\0", "\0") QUESTION
		 "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\5\xc0\0\2\1"),
		E_DNS_SHORT, 0},
	    /* Pointers: to itself, forward, into the header, cut off. */
	    {M(HEADER("\0", "\1", "\0", "\0") "\xc0\x0c\0\1\0\1\0\0\0\0\0\0"),
		E_DNS_BAD_POINTER, 0},
	    {M(HEADER("\0", "\1", "\0", "\0") "\xc0\x0e\xc0\x0c\0\1\0\1"),
		E_DNS_BAD_POINTER, 0},
	    {M(HEADER("\0", "\1", "\0", "\0") "\xc0\x02\0\1\0\1\0\0\0\0\0\0"),
		E_DNS_BAD_POINTER, 0},
	    {M(HEADER("\0", "\1", "\0", "\0") "\xc0"), E_DNS_SHORT, 0},
	    /* A label that a pointer behind it leads back into: a loop. */
	    {M(HEADER(
		 "\0", "\1", "\0", "\0") "\1a\xc0\x0c\0\1\0\1\0\0\0\0\0\0"),
		E_DNS_BAD_POINTER, 0},
	    /* The forms 0x40 and 0x80 of a length. */
	    {M(HEADER("\0", "\1", "\0", "\0") "\x41"
					      "a\0\0\1\0\1\0\0\0\0\0\0"),
		E_DNS_BAD_NAME, 0},
	    /* CNAME whose name ends inside its data, and not. */
	    {M(HEADER("\1", "\1", "\0", "\0") QUESTION
		 "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1b\xc0\x0c"),
		0, 1},
	    {M(HEADER("\1", "\1", "\0", "\0") QUESTION
		 "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\3\1b\xc0\x0c"),
		E_DNS_BAD_RECORD, 0},
	    /* EDNS0; twice; in the answer; with a name; a broken option. */
	    {M(HEADER("\0", "\0", "\0", "\1") "\0\0\x29\4\xd0\0\0\x80\0\0\0"),
		0, 1},
	    {M(HEADER("\0", "\0", "\0", "\2") "\0\0\x29\4\xd0\0\0\0\0\0\0"
					      "\0\0\x29\4\xd0\0\0\0\0\0\0"),
		E_DNS_BAD_RECORD, 1},
	    {M(HEADER("\0", "\1", "\0", "\0") "\0\0\x29\4\xd0\0\0\0\0\0\0"),
		E_DNS_BAD_RECORD, 0},
	    {M(HEADER("\0", "\0", "\0", "\1") "\1a\0\0\x29\4\xd0\0\0\0\0\0\0"),
		E_DNS_BAD_RECORD, 0},
	    {M(HEADER("\0", "\0", "\0",
		 "\1") "\0\0\x29\4\xd0\0\0\0\0\0\5\0\x0a\0\2\1"),
		E_DNS_BAD_RECORD, 0},
	    /* TXT: none, one, a string beyond the data. */
	    {M(HEADER("\0", "\1", "\0", "\0") "\0\0\x10\0\1\0\0\0\0\0\0"),
		E_DNS_BAD_RECORD, 0},
	    {M(HEADER("\0", "\1", "\0", "\0") "\0\0\x10\0\1\0\0\0\0\0\4\1a\1b"),
		0, 1},
	    {M(HEADER("\0", "\1", "\0", "\0") "\0\0\x10\0\1\0\0\0\0\0\2\2a"),
		E_DNS_BAD_RECORD, 0},
	    /* A type not known here, and A of another class: passed through. */
	    {M(HEADER("\0", "\2", "\0", "\0") "\0\x12\x34\0\1\0\0\0\0\0\2xy"
					      "\0\0\1\0\3\0\0\0\0\0\2xy"),
		0, 2},
	};
#undef M

	for (size_t i = 0; i < array_count(cases); i++) {
		unsigned records;
		int r = read_all(cases[i].octets, cases[i].length, &records);

		if (r != cases[i].result || records != cases[i].records)
			print_error("case %zu: %s, %u records\n", i,
			    error_name(r), records);
		assert_int_equal(r, cases[i].result);
		assert_int_equal(records, cases[i].records);
	}
}

/* A chain of pointers of any length costs no more than the limit. */
static void
pointer_chain(void **state)
{
	uint8_t octets[DNS_HEADER_OCTETS + 2 + 2 * 200] = {0};
	struct bytes message = {(char *)octets, sizeof(octets)};
	struct dns_name name;

	for (unsigned i = 0; i < 200; i++) {
		unsigned at = DNS_HEADER_OCTETS + 2 + 2 * i;

		octets[at] = 0xc0 | (uint8_t)((at - 2) >> 8);
		octets[at + 1] = (uint8_t)(at - 2);
	}
	for (unsigned hops = 1; hops <= 200; hops++) {
		size_t offset = DNS_HEADER_OCTETS + 2 * hops;

		assert_int_equal(dns_name_read(message, &offset, &name),
		    hops <= DNS_NAME_HOPS_MAX ? 0 : E_DNS_BAD_POINTER);
	}
}

static const struct dns_header response = {
    .id = 0xbeef,
    .response = true,
    .recursion_desired = true,
    .recursion_available = true,
    .authoritative = true,
    .authentic = true,
    .rcode = DNS_NXDOMAIN,
};

static struct dns_record
record_of(const char *name, uint16_t type, enum dns_section section)
{
	return (struct dns_record){.name = name_of(name),
	    .type = type,
	    .class = DNS_CLASS_IN,
	    .ttl = 300,
	    .section = section};
}

static void
check_data(const struct dns_record *in, const struct dns_record *out)
{
	switch (in->type) {
	case DNS_A:
		assert_memory_equal(in->data.a, out->data.a, 4);
		break;
	case DNS_AAAA:
		assert_memory_equal(in->data.aaaa, out->data.aaaa, 16);
		break;
	case DNS_CNAME:
	case DNS_NS:
		assert_true(
		    dns_name_equal_case(&in->data.target, &out->data.target));
		break;
	case DNS_SRV:
		assert_int_equal(in->data.srv.priority, 1);
		assert_int_equal(in->data.srv.weight, 2);
		assert_int_equal(in->data.srv.port, 8080);
		assert_string_equal(
		    text_of(&in->data.srv.target), "host.Example.com");
		/* Not compressed. */
		assert_int_equal(in->raw.length, 6 + 18);
		break;
	case DNS_MX:
		assert_int_equal(in->data.mx.preference, 10);
		assert_string_equal(
		    text_of(&in->data.mx.exchange), "mail.Example.com");
		assert_int_equal(in->raw.length, 2 + 5 + 2);
		break;
	case DNS_SOA:
		assert_int_equal(in->data.soa.minimum, 0xfffffff5);
		assert_int_equal(in->data.soa.serial, 1);
		assert_string_equal(
		    text_of(&in->data.soa.mailbox), "root.Example.com");
		break;
	case DNS_OPT:
		assert_int_equal(in->data.opt.udp_octets, 1232);
		assert_int_equal(in->data.opt.rcode_high, 1);
		assert_true(in->data.opt.dnssec_ok);
		/* fall through */
	default:
		assert_true(bytes_equal(in->raw, out->raw));
	}
}

/* Every type is read as it was written. */
static void
round_trip(void **state)
{
	static uint8_t memory[2048];
	struct dns_question question = {
	    name_of("www.Example.com"), DNS_AAAA, DNS_CLASS_IN};
	struct dns_record out[10], in;
	struct dns_question asked;
	struct dns_writer writer;
	struct dns_reader reader;
	struct bytes text, raw;
	size_t length;

	out[0] = record_of("www.Example.com", DNS_CNAME, DNS_ANSWER);
	out[0].data.target = name_of("host.Example.com");
	out[1] = record_of("host.Example.com", DNS_A, DNS_ANSWER);
	memcpy(out[1].data.a, "\xc0\0\2\7", 4);
	out[2] = record_of("host.Example.com", DNS_AAAA, DNS_ANSWER);
	memcpy(out[2].data.aaaa, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16);
	out[3] = record_of("_x._tcp.Example.com", DNS_SRV, DNS_ANSWER);
	out[3].data.srv.priority = 1;
	out[3].data.srv.weight = 2;
	out[3].data.srv.port = 8080;
	out[3].data.srv.target = name_of("host.Example.com");
	out[4] = record_of("Example.com", DNS_MX, DNS_ANSWER);
	out[4].data.mx.preference = 10;
	out[4].data.mx.exchange = name_of("mail.Example.com");
	out[5] = record_of("Example.com", DNS_TXT, DNS_ANSWER);
	out[5].raw = BYTES("\5hello\0\1x");
	out[6] = record_of("Example.com", 0x1234, DNS_ANSWER);
	out[6].raw = BYTES("whatever");
	out[7] = record_of("Example.com", DNS_NS, DNS_AUTHORITY);
	out[7].data.target = name_of("ns.Example.com");
	out[8] = record_of("Example.com", DNS_SOA, DNS_AUTHORITY);
	out[8].data.soa = (struct dns_soa){name_of("ns.Example.com"),
	    name_of("root.Example.com"), 1, 2, 3, 4, 0xfffffff5};
	out[9] = record_of(".", DNS_OPT, DNS_ADDITIONAL);
	out[9].data.opt = (struct dns_opt){1232, 1, 0, true};
	out[9].raw = BYTES("\0\xa\0\1x");

	dns_writer_init(&writer, memory, sizeof(memory), &response);
	assert_int_equal(dns_write_question(&writer, &question), 0);
	for (size_t i = 0; i < array_count(out); i++)
		assert_int_equal(dns_write_record(&writer, &out[i]), 0);
	length = dns_writer_end(&writer);

	assert_int_equal(
	    dns_reader_init(&reader, bytes_of((char *)memory, length)), 0);
	assert_memory_equal(&reader.header.id, &response.id, 2);
	assert_true(reader.header.response && reader.header.authoritative &&
	    reader.header.recursion_desired &&
	    reader.header.recursion_available && reader.header.authentic);
	assert_false(
	    reader.header.truncated || reader.header.checking_disabled);
	assert_int_equal(reader.header.rcode, DNS_NXDOMAIN);
	assert_int_equal(dns_read_question(&reader, &asked), 1);
	assert_true(dns_name_equal_case(&asked.name, &question.name));
	assert_int_equal(asked.type, DNS_AAAA);
	assert_int_equal(dns_read_question(&reader, &asked), 0);
	for (size_t i = 0; i < array_count(out); i++) {
		assert_int_equal(dns_read_record(&reader, &in), 1);
		assert_true(dns_name_equal_case(&in.name, &out[i].name));
		assert_int_equal(in.type, out[i].type);
		assert_int_equal(in.section, out[i].section);
		if (in.type != DNS_OPT) {
			assert_int_equal(in.ttl, 300);
			assert_int_equal(in.class, DNS_CLASS_IN);
		}
		check_data(&in, &out[i]);
	}
	assert_int_equal(dns_read_record(&reader, &in), 0);
	raw = out[5].raw;
	assert_true(dns_txt_next(&raw, &text));
	assert_true(bytes_equal(text, BYTES("hello")));
	assert_true(dns_txt_next(&raw, &text));
	assert_int_equal(text.length, 0);
	assert_true(dns_txt_next(&raw, &text));
	assert_true(bytes_equal(text, BYTES("x")));
	assert_false(dns_txt_next(&raw, &text));
}

/* At every size: what fits is a message of its own, and TC tells the rest. */
static void
truncation(void **state)
{
	static uint8_t memory[512];
	struct dns_question question = {
	    name_of("example.com"), DNS_A, DNS_CLASS_IN};
	struct dns_record record = record_of("example.com", DNS_A, DNS_ANSWER);
	struct dns_record opt = record_of(".", DNS_OPT, DNS_ADDITIONAL);

	for (size_t size = DNS_HEADER_OCTETS + 17; size < 200; size++) {
		struct dns_writer writer;
		unsigned fit = 0, records;
		size_t length;

		dns_writer_init(&writer, memory, size, &response);
		assert_int_equal(dns_write_question(&writer, &question), 0);
		for (unsigned i = 0; i < 5; i++)
			if (dns_write_record(&writer, &record) == 0)
				fit++;
		assert_int_equal(fit, min_of((size - 29) / 16, (size_t)5));
		writer.capacity += DNS_OPT_OCTETS;
		assert_int_equal(dns_write_record(&writer, &opt), 0);
		length = dns_writer_end(&writer);
		assert_true(length <= size + DNS_OPT_OCTETS);
		assert_int_equal(read_all((char *)memory, length, &records), 0);
		assert_int_equal(records, fit + 1);
		assert_int_equal((memory[2] & 2) != 0, fit < 5);
	}
	{
		struct dns_writer writer;

		dns_writer_init(
		    &writer, memory, DNS_HEADER_OCTETS + 16, &response);
		assert_int_equal(
		    dns_write_question(&writer, &question), -ENOSPC);
		assert_int_equal(dns_writer_end(&writer), DNS_HEADER_OCTETS);
	}
}

static void
words(void **state)
{
	char room[DNS_WORD_BYTES];

	assert_string_equal(dns_type_text(DNS_AAAA, room), "AAAA");
	assert_string_equal(dns_type_text(65535, room), "TYPE65535");
	assert_string_equal(dns_rcode_text(DNS_SERVFAIL, room), "SERVFAIL");
	assert_string_equal(dns_rcode_text(4095, room), "RCODE4095");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_as_text),
	    cmocka_unit_test(name_limits),
	    cmocka_unit_test(name_relations),
	    cmocka_unit_test(messages),
	    cmocka_unit_test(pointer_chain),
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(truncation),
	    cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
