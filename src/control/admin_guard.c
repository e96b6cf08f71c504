#include "control/admin_guard.h"

#include <arpa/inet.h>

bool
guard_host_is_loopback(struct bytes host)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t address[16];

	if (host.length > 2 && host.at[0] == '[' &&
	    host.at[host.length - 1] == ']')
		host = bytes_of(host.at + 1, host.length - 2);
	if (bytes_equal_nocase(host, BYTES("localhost")))
		return true;
	if (host.length == 0 || host.length >= sizeof(text) ||
	    memchr(host.at, '\0', host.length) != NULL)
		return false;
	memcpy(text, host.at, host.length);
	text[host.length] = '\0';
	if (inet_pton(AF_INET, text, address) == 1)
		return address[0] == 127;
	return inet_pton(AF_INET6, text, address) == 1 &&
	    memcmp(address, &in6addr_loopback, sizeof(address)) == 0;
}

bool
guard_origin_is_ours(struct bytes origin, struct bytes authority)
{
	struct bytes scheme = BYTES("http://");

	return authority.length > 0 && origin.length > scheme.length &&
	    bytes_equal_nocase(bytes_of(origin.at, scheme.length), scheme) &&
	    bytes_equal_nocase(bytes_skip(origin, scheme.length), authority);
}

bool
guard_token_matches(struct bytes token, struct bytes authorization)
{
	struct bytes scheme = BYTES("Bearer ");
	struct bytes given = bytes_trim(bytes_skip(authorization, 7));
	unsigned char difference;

	if (token.length == 0 || authorization.length < scheme.length ||
	    !bytes_equal_nocase(
		bytes_of(authorization.at, scheme.length), scheme))
		return false;
	difference = given.length != token.length;
	for (size_t i = 0; i < given.length; i++)
		difference |=
		    (unsigned char)(given.at[i] ^ token.at[i % token.length]);
	return difference == 0;
}
