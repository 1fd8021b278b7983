/* The syntax of the JavaScript in a definition. */
#pragma once
#include "json/json.h"
#include "script/desk.h"

/* Appends what flow/scripts.h tells of. A definition without JavaScript asks nobody. */
void node_scripts_check(struct script_desk *desk, const struct json *definition, struct json *problems);
