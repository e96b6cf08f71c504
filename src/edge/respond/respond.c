#include "edge/respond/respond.h"

static int
respond_fields(struct exchange *ex, const struct config_respond *config)
{
	struct http_head *head = &ex->response;
	int r = 0;

	if (config->content_type.at != NULL)
		r = http_head_add(
		    head, FIELD_CONTENT_TYPE, config->content_type);
	for (unsigned i = 0; r == 0 && i < config->header_count; i++) {
		const struct config_pair *pair = &config->headers[i];

		http_head_remove_named(head, pair->name);
		if (pair->value.at != NULL)
			r = http_head_add_named(head, pair->name, pair->value);
	}
	return r;
}

SUSPENDS
static int
respond_handle(struct exchange *ex)
{
	const struct config_respond *config = ex->route->respond;
	int r = respond_fields(ex, config);

	if (r < 0)
		return r;
	ex->response.status = config->status;
	return exchange_respond(ex, config->body);
}

const struct feature respond_feature = {
    .action = ACTION_RESPOND,
    .handle = respond_handle,
};
