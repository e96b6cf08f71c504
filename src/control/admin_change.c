#include "control/admin_change.h"

#include <errno.h>

#include <json-c/json.h>

#include "control/control.h"

static struct json_object *
change_json(struct bytes body)
{
	struct json_tokener *tokener = json_tokener_new_ex(ADMIN_CHANGE_DEPTH);
	struct json_object *o = NULL;

	if (tokener == NULL)
		return NULL;
	json_tokener_set_flags(
	    tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tokener, body.at, (int)body.length);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    json_tokener_get_parse_end(tokener) != body.length) {
		json_object_put(o);
		o = NULL;
	}
	json_tokener_free(tokener);
	return o;
}

static const char *
change_state(struct json_object *value, struct admin_change *change)
{
	static const struct {
		const char *name;
		enum verdict_admin admin;
	} states[] = {
	    {"ready", ADMIN_READY},
	    {"drain", ADMIN_DRAINED},
	    {"down", ADMIN_DOWN},
	};

	for (size_t i = 0; i < array_count(states); i++) {
		if (json_object_is_type(value, json_type_string) &&
		    strcmp(json_object_get_string(value), states[i].name) ==
			0) {
			change->admin = states[i].admin;
			return NULL;
		}
	}
	return "state is none of \"ready\", \"drain\", \"down\"";
}

static const char *
change_weight(struct json_object *value, struct admin_change *change)
{
	int64_t weight;

	if (value == NULL) {
		change->weight = CONTROL_WEIGHT_DEFAULT;
		return NULL;
	}
	weight = json_object_is_type(value, json_type_int)
	    ? json_object_get_int64(value)
	    : -1;
	if (weight < 0 || weight > ADMIN_WEIGHT_MAX)
		return "weight is neither a whole number from 0 to 65535 nor "
		       "null";
	change->weight = (int)weight;
	return NULL;
}

static const char *
change_read(struct json_object *o, struct admin_change *change)
{
	const char *why = NULL;

	json_object_object_foreach(o, key, value)
	{
		if (strcmp(key, "state") == 0)
			why = change_state(value, change);
		else if (strcmp(key, "weight") == 0)
			why = change_weight(value, change);
		else
			why = "unknown key; there are \"state\" and "
			      "\"weight\"";
		if (why != NULL)
			return why;
	}
	if (change->admin == CONTROL_ADMIN_KEEP &&
	    change->weight == CONTROL_WEIGHT_KEEP)
		return "nothing to change; give \"state\" or \"weight\"";
	return NULL;
}

int
admin_change_parse(
    struct bytes body, struct admin_change *ret_change, const char **ret_why)
{
	struct admin_change change = {CONTROL_ADMIN_KEEP, CONTROL_WEIGHT_KEEP};
	struct json_object *o = change_json(body);
	const char *why;

	if (json_object_is_type(o, json_type_object))
		why = change_read(o, &change);
	else
		why = "the body is no JSON object, as {\"state\": \"drain\"}";
	json_object_put(o);
	if (why != NULL) {
		*ret_why = why;
		return -EINVAL;
	}
	*ret_change = change;
	return 0;
}
