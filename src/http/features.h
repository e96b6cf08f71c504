/*
 * features.h - which feature serves an action
 *
 * Layer      http, inside only
 */
#pragma once

#include "http/server.h"

const struct feature *feature_of(enum config_action action);
