#include "main/features.h"

#include "edge/files/files.h"
#include "edge/respond/respond.h"
#include "edge/reverse/reverse.h"
#include "http/server.h"

void
features_register(void)
{
	server_feature_register(&files_feature);
	server_feature_register(&respond_feature);
	server_feature_register(&redirect_feature);
	server_feature_register(&reverse_feature);
}
