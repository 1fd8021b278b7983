/* ./run: the examples, loaded into the running service. */
#pragma once
#include "cli/cli.h"

/* Copies DIR/data into `files`, imports DIR's flows that are not there yet, runs the one whose metadata says `demo`,
 * and prints its result. Problems are printed and go no further. */
void demo_run(const struct cli *cli, int port, const char *directory, const char *files);
