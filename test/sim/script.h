/** @file Commands on stdin: a test says what the devices do. */
#pragma once
#include "test/sim/sim.h"

/** Read stdin from now on; its end ends the simulation. @return 0; -ENOMEM */
int script_start(struct sim *s);
void script_stop(struct sim *s);
