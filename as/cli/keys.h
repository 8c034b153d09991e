/** @file Commands for API keys: of applications (_app), of gateways (_gtw), and the operator's. */
#pragma once
#include "as/cli/cli.h"

int key_create_app(struct cli *c);
int key_create_gtw(struct cli *c);
int key_create(struct cli *c);
int key_list_app(struct cli *c);
int key_list_gtw(struct cli *c);
int key_list(struct cli *c);
int key_get_app(struct cli *c);
int key_get_gtw(struct cli *c);
int key_get(struct cli *c);
int key_update_app(struct cli *c);
int key_update_gtw(struct cli *c);
int key_update(struct cli *c);
int key_delete_app(struct cli *c);
int key_delete_gtw(struct cli *c);
int key_delete(struct cli *c);
