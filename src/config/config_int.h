/* Between the files of config/. */
#pragma once
#include "config/config.h"

/* Decodes one text by the table's rules; texts are copied to the arena. */
enum err config_value_decode(const struct config_variable *variable, enum service service, const char *text,
                             struct arena *arena, struct config_value *ret, struct error *reterr) ERROR_MUST_CHECK;

/* The rules between variables. */
enum err config_rules_check(const struct config *config, struct error *reterr) ERROR_MUST_CHECK;

/* What a variable accepts, as the end of "… must be": "an integer from 1 to 10", "round_robin or weighted". */
void config_describe_allowed(const struct config_variable *variable, enum service service, struct buf *out);

/* `NAME is "value"; it must be <allowed>`: value masked, escaped and capped; `allowed` NULL: by the table. */
enum err config_refuse(const struct config_variable *variable, enum service service, const char *text,
                       const char *allowed, struct error *reterr);
