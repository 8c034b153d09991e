/** @file The words for what becomes of a script's call. */
#include "as/scripts/job.h"

const char *script_outcome_word(unsigned outcome)
{
	static const char *const words[SCRIPT_OUTCOME_N] = {
		[SCRIPT_OK] = "ok", [SCRIPT_NO_FUNCTION] = "no_function", [SCRIPT_SYNTAX] = "syntax", [SCRIPT_THREW] = "threw",
		[SCRIPT_ERRORS] = "errors", [SCRIPT_BAD_RESULT] = "bad_result", [SCRIPT_TIMEOUT] = "timeout",
		[SCRIPT_MEMORY] = "memory", [SCRIPT_STACK] = "stack", [SCRIPT_OUTPUT] = "output", [SCRIPT_CRASHED] = "crashed",
		[SCRIPT_UNAVAILABLE] = "unavailable",
	};
	return outcome < SCRIPT_OUTCOME_N ? words[outcome] : NULL;
}
