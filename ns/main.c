/** @file godwit-ns, the network server. */
#include "ns/process.h"

int main(int argc, char **argv)
{
	return daemon_main(&ns_program, argc, argv);
}
