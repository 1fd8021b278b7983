/* caudal migrate: the database's schema, and all data from one database to another. */
#include "cli/cli.h"

#include "base/mem.h"
#include "config/config.h"
#include "store/move.h"
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQLITE "sqlite:"

static volatile sig_atomic_t told_to_stop;

static void on_signal(int number)
{
    (void)number;
    told_to_stop = 1;
}

static bool may_go_on(void *user)
{
    (void)user;
    return told_to_stop == 0;
}

static int fail(const struct error *error)
{
    (void)cli_fail(error);
    return error->code == ERR_STORE_BUSY ? EXIT_UNREACHABLE : error->code == ERR_CONFLICT ? EXIT_REFUSED : EXIT_FAILED;
}

static int wrong(const char *message)
{
    (void)fprintf(stderr, "caudal: %s\n", message);
    return EXIT_USAGE;
}

/* ---- the schema */

/* Nothing else of the configuration matters here. */
static const char *database_only(void *user, const char *name)
{
    bool read = strcmp(name, "DATABASE_URL") == 0 || strcmp(name, "DATA_DIR") == 0;
    return read ? config_from_environment(user, name) : NULL;
}

static int print_schema(const struct cli *cli, const char *url, int64_t version)
{
    AUTO_BUF struct buf shown;
    buf_init(&shown, 0);
    config_value_mask(&config_variables[CONFIG_DATABASE_URL], url, &shown);
    if (cli->json) {
        AUTO_JSON struct json *answer = json_object_new();
        json_set_str(answer, "database", buf_str(&shown));
        json_set_int(answer, "schemaVersion", version);
        return cli_print_json(answer);
    }
    (void)printf("The schema of %s is up to date: version %" PRId64 ".\n", buf_str(&shown), version);
    return EXIT_OK;
}

static int migrate_schema(const struct cli *cli)
{
    struct config config;
    struct error error = {0};
    if (config_load(SERVICE_STANDALONE, database_only, NULL, &config, &error) != ERR_OK)
        return cli_fail(&error);
    struct store *store = NULL;
    int64_t version = 0;
    enum err code = store_open(config_str(&config, CONFIG_DATABASE_URL), NULL, &store, &error);
    if (code == ERR_OK)
        code = store_schema_version(store, &version, &error);
    int exit_code =
        code == ERR_OK ? print_schema(cli, config_str(&config, CONFIG_DATABASE_URL), version) : fail(&error);
    if (store != NULL)
        store_close(store);
    config_done(&config);
    return exit_code;
}

/* ---- the data */

static void on_copied(void *user, const char *table, int64_t rows)
{
    const struct cli *cli = user;
    if (!cli->json)
        (void)printf("copied    %-20s %10" PRId64 " rows\n", table, rows);
    (void)fflush(stdout);
}

static void on_verified(void *user, const struct store_move_table *table)
{
    const struct cli *cli = user;
    if (cli->json)
        (void)printf("{\"table\":\"%s\",\"rows\":%" PRId64 ",\"sha256\":\"%s\"}\n", table->name, table->rows,
                     table->checksum);
    else
        (void)printf("the same  %-20s %10" PRId64 " rows  %.16s\n", table->name, table->rows, table->checksum);
    (void)fflush(stdout);
}

static enum err move_data(const struct cli *cli, const char *source, struct error *reterr)
{
    struct store_move_options options = {
        .source = source, .go_on = may_go_on, .copied = on_copied, .verified = on_verified, .user = (void *)cli};
    const struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    enum err code = store_open(cli->from, NULL, &options.from, reterr);
    if (code == ERR_OK)
        code = store_open(cli->to, NULL, &options.to, reterr);
    if (code == ERR_OK)
        code = store_move(&options, reterr);
    if (options.to != NULL)
        store_close(options.to);
    if (options.from != NULL)
        store_close(options.from);
    return code;
}

static int migrate_data(const struct cli *cli)
{
    if (cli->from == NULL || cli->to == NULL)
        return wrong("--from and --to belong together: the database that is read, and the one that is filled.");
    if (strncmp(cli->from, SQLITE, strlen(SQLITE)) != 0)
        return wrong("--from must be sqlite:FILE.");
    if (strncmp(cli->to, "postgresql://", 13) != 0 && strncmp(cli->to, "postgres://", 11) != 0)
        return wrong("--to must be a URL that begins with postgresql:// or postgres://.");
    struct error error = {0};
    AUTO_FREE char *path = realpath(cli->from + strlen(SQLITE), NULL); /* opening would make the file */
    if (path == NULL) {
        (void)error_set(&error, ERR_IO, "--from", "There is no file %.300s: %m.", cli->from + strlen(SQLITE));
        return cli_fail(&error);
    }
    if (move_data(cli, path, &error) != ERR_OK)
        return fail(&error);
    if (!cli->json)
        (void)printf("Everything of %s has been moved.\n", path);
    return EXIT_OK;
}

int command_migrate(const struct cli *cli)
{
    return cli->from == NULL && cli->to == NULL ? migrate_schema(cli) : migrate_data(cli);
}
