/** @file The MAC commands of a device. */
#pragma once
#include "test/scenario/node.h"

/** Carry out what the last downlink commands (n->cmds). */
void node_carry_out(struct node *n);
