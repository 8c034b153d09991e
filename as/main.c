/** @file godwit-as: the application server's program. */
#include "as/as.h"
#include "as/scripts/pool.h"

static const struct setting rows[] = {
#define SETTING(member, name, kind, dflt, min, max, doc) \
	{ name, dflt, doc, offsetof(struct as_settings, member), min, max, SETTING_##kind },
#include "as/settings.def"
#undef SETTING
};

int main(int argc, char **argv)
{
	static const char *const sections[] = { "as", NULL };
	static const struct daemon_program program = {
		.name = "as",
		.program = "godwit-as",
		.about = "the application server: registry, join server, downlink queues, MQTT and HTTP",
		.settings = { rows, COUNT(rows), sections },
		.settings_size = sizeof(struct as_settings),
		.check = as_check,
		.start = as_start,
		.reload = as_reload,
		.stop = as_stop,
		.free = as_free,
		.restored = as_restored,
	};
	scripts_child(argc, argv);
	return daemon_main(&program, argc, argv);
}
