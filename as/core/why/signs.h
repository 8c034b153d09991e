/** @file The signs that why.def asks for. */
#pragma once
#include "as/core/why/case.h"

/* One declaration for each SIGN of the table. */
#define SIGN(name) why_sign name;
#define SEEN(event, word)
#define WHY(symbol, id, question, kind, then, sign, shows, answer, advice) sign
#include "as/core/why/why.def"
#undef WHY
#undef SEEN
#undef SIGN
