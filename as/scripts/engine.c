/** @file Which engine this build has. */
#include "as/scripts/engine.h"

const struct engine_kind *engine_kind(void)
{
	return &the_engine;
}
