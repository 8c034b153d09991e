/** @file Short words for the region tables; only for their files. */
#pragma once
#include "common/core/err.h"
#include "proto/region/region.h"

#define LORA(sf_, khz_)    { .kind = MODU_LORA, .sf = sf_, .cr = CR_4_5, .bw_hz = (khz_) * 1000 }
#define FSK(rate_)         { .kind = MODU_FSK, .bit_rate = rate_ }
#define LR_FHSS(cr_, khz_) { .kind = MODU_LR_FHSS, .cr = cr_, .bw_hz = (khz_) * 1000 }
#define NO_DR              { .kind = MODU_NONE }
#define RX1_ROW_NONE       { DR_NONE, DR_NONE, DR_NONE, DR_NONE, DR_NONE, DR_NONE, DR_NONE, DR_NONE }

#define REGION(table) extern const struct region table;
#define PLAN(...)
#include "proto/region/regions.def"
#undef REGION
#undef PLAN
