/* caudal flow run FILE: without a service, in this process and in memory. */
#pragma once
#include "cli/cli.h"

/* Runs the definition to its end; *ret_execution is the execution with its nodes (as the API shows it), yours. File
 * nodes work in `directory`. */
enum err local_run(const struct json *definition, const struct json *input, const char *directory,
                   struct json **ret_execution, struct error *reterr) ERROR_MUST_CHECK;
