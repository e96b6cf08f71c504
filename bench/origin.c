/*
 * origin.c - the server behind the proxies under test
 *
 *   bench-origin PORT
 */
#include <stdlib.h>

#include "responder.h"
#include "tool.h"

int
main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: bench-origin PORT");
	responder_run(atoi(argv[1]), NULL);
}
