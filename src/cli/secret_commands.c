/* The commands of secrets. */
#include "cli/cli.h"

#include "base/seal.h"
#include <stdio.h>
#include <string.h>

int command_secret_key(const struct cli *cli)
{
    (void)cli;
    char word[SEAL_WORD_BYTES];
    seal_word_new(word);
    (void)printf("%s\n", word);
    explicit_bzero(word, sizeof word);
    return EXIT_OK;
}
