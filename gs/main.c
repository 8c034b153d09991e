/** @file godwit-gs, the gateway server. */
#include "gs/process.h"

int main(int argc, char **argv)
{
	return daemon_main(&gs_program, argc, argv);
}
