/** @file One setting's value: from text into its member, and back into text. Internal to settings. */
#pragma once
#include "common/settings.h"

/** Where a row's member is. */
void *settings_member(const struct setting *row, void *settings);
/** Set the member from text. @return 0; -EINVAL (nothing changed); -ENOMEM */
int settings_value_set(const struct setting *row, struct str value, void *settings);
/** What would be right: "a number from 1 to 16", "a duration from 50ms to 10s, such as 200ms". */
void settings_value_hint(struct text *out, const struct setting *row);
