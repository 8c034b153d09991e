/** @file The gateway server as a process: the core between its sockets, the bus, the log and the clock. */
#pragma once
#include "common/daemon.h"

struct gs_settings {
#define SETTING(member, name, kind, dflt, min, max, doc) SETTING_MEMBER_##kind member;
#include "gs/settings.def"
#undef SETTING
};

extern const struct daemon_program gs_program;
