/* The runner of JavaScript alone, for the tests: built without sanitizers, whose stacks and signals do not go with
 * JavaScriptCore's garbage collector, which stops threads by signals and reads their stacks. */
#include "script/runner.h"

#include <stdlib.h>

int main(int argc, char **argv)
{
    return argc == 3 ? script_runner_main((size_t)strtoul(argv[2], NULL, 10) << 20) : 2;
}
