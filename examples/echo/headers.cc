/* The public headers from C++, and one call. */
#include <weir/weir.h>

static int
root(void *arg)
{
	*static_cast<bool *>(arg) = true;
	return weir_sleep(WEIR_MILLISECOND);
}

int
main()
{
	weir_options options = {};
	bool ran = false;

	options.worker_count = 1;
	return weir_run(&options, root, &ran) != 0 || !ran;
}
