/* Options, commands, help. */
#include "cli/cli.h"

#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (64 << 20)

const struct command cli_commands[] = {
    {"standalone", "[--demo DIR]", "Run everything in this process, on SQLite", command_standalone},
    {"gateway", "", "Serve the API and the WebSocket, beside other services", command_gateway},
    {"orchestrator", "", "Hand out work and write down its results, beside other services", command_orchestrator},
    {"worker", "", "Run flows, beside other services", command_worker},
    {"flow list", "[--status S] [--limit N]", "List flows", command_flow_list},
    {"flow validate", "FILE", "Check a flow's definition, without a service", command_flow_validate},
    {"flow run", "FLOW|FILE [--input JSON|@FILE] [--detach]",
     "Run a flow and follow it; a file runs here, without a service", command_flow_run},
    {"flow import", "FILE...", "Create flows from files, or change those of the same name", command_flow_import},
    {"flow export", "FLOW [--output FILE]", "Write a flow's definition", command_flow_export},
    {"flow versions", "FLOW", "List the versions of a flow, with their notes", command_flow_versions},
    {"flow diff", "FLOW FROM TO", "Show what changed between two versions", command_flow_diff},
    {"flow publish", "FLOW [VERSION] [--note TEXT]", "Let triggers use the newest version, or that one",
     command_flow_publish},
    {"flow rollback", "FLOW VERSION", "Make an earlier version the newest", command_flow_rollback},
    {"schedule list", "[--flow FLOW] [--limit N]", "List schedules", command_schedule_list},
    {"schedule next", "SCHEDULE [--count N]", "Show the next instants", command_schedule_next},
    {"schedule pause", "SCHEDULE", "Stop firing", command_schedule_pause},
    {"schedule resume", "SCHEDULE", "Fire again", command_schedule_resume},
    {"schedule backfill", "SCHEDULE [--from TIME --to TIME]", "Fire for the instants of a past period",
     command_schedule_backfill},
    {"execution list", "[--flow FLOW] [--status S] [--limit N]", "List executions, newest first",
     command_execution_list},
    {"execution show", "ID", "Show an execution with its nodes", command_execution_show},
    {"execution follow", "ID", "Print an execution's log until it ends", command_execution_follow},
    {"execution cancel", "ID", "Cancel an execution", command_execution_cancel},
    {"execution retry", "ID [--failed]", "Run a failed execution again, whole or from the failed node",
     command_execution_retry},
    {"execution rerun", "ID [--input JSON|@FILE] [--same]", "Run it once more; --same: the version that ran",
     command_execution_rerun},
    {"execution signal", "ID [--name NAME] [--node NODE] [--input JSON|@FILE]",
     "Send a signal to a node that waits for it", command_execution_signal},
    {"execution attempts", "ID", "Show every attempt of every node", command_execution_attempts},
    {"execution delete", "ID...", "Delete finished executions", command_execution_delete},
    {"variable list", "[--flow FLOW]", "List the global variables, or a flow's own", command_variable_list},
    {"variable set", "NAME [FILE] [--flow FLOW]", "Set a variable to JSON, or else text, from a file or standard input",
     command_variable_set},
    {"variable delete", "NAME [--flow FLOW]", "Delete a variable", command_variable_delete},
    {"secret list", "[--flow FLOW]", "List the global secrets, or a flow's own, without values", command_secret_list},
    {"secret set", "NAME [FILE] [--flow FLOW]", "Set a secret to the text of a file or standard input",
     command_secret_set},
    {"secret delete", "NAME [--flow FLOW]", "Delete a secret", command_secret_delete},
    {"secret rotate", "", "Seal all secrets anew under the first key of SECRETS_KEY", command_secret_rotate},
    {"secret key", "", "Make a key for SECRETS_KEY", command_secret_key},
    {"nodes", "[TYPE]", "List node types, or document one", command_nodes},
    {"config", "[SERVICE]", "Show the configuration in force, secrets masked", command_config},
    {"migrate", "[--from sqlite:FILE --to URL]",
     "Bring DATABASE_URL's schema up to date, or move all data to PostgreSQL", command_migrate},
    {"openapi", "", "Print the OpenAPI document", command_openapi},
    {"topology", "", "Print the exchanges, queues and bindings that the services declare", command_topology},
    {"messages", "[NAME]", "List the messages between services, or print one's JSON Schema", command_messages},
    {"asyncapi", "", "Print the AsyncAPI document of queues, topics and messages", command_asyncapi},
    {"completion", "", "Print completion for bash: source <(caudal completion)", command_completion},
    {"version", "", "Print the version", command_version},
    {0}};

static void print_help(FILE *out)
{
    (void)fprintf(out, "Caudal runs flows of typed nodes, durably.\n\nUsage: caudal COMMAND [OPTIONS]\n\n");
    for (const struct command *command = cli_commands; command->name != NULL; command++)
        (void)fprintf(out, "  %-17s %-42s %s\n", command->name, command->arguments, command->summary);
    (void)fprintf(out,
                  "\nOptions:\n"
                  "  --url URL         the service (CAUDAL_URL; http://127.0.0.1:3001)\n"
                  "  --api-key KEY     credential (CAUDAL_API_KEY)\n"
                  "  --json            output for machines\n"
                  "  --help, --version\n\n"
                  "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 service not reachable, 4 refused by the service.\n"
                  "Services are configured by environment variables: caudal config.\n");
}

int cli_fail(const struct error *error)
{
    (void)fprintf(stderr, "caudal: %s%s%s\n", error->field, error->field[0] == '\0' ? "" : ": ", error->message);
    return EXIT_FAILED;
}

int cli_print_json(const struct json *value)
{
    struct buf text;
    buf_init(&text, 0);
    json_print_pretty(value, &text);
    (void)printf("%s\n", buf_str(&text));
    buf_done(&text);
    return EXIT_OK;
}

enum err cli_read_file(const char *path, struct buf *out, struct error *reterr)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL)
        return error_set(reterr, ERR_IO, path, "It cannot be opened: %m.");
    char chunk[16384];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0 && out->len <= FILE_MAX)
        buf_add(out, chunk, n);
    bool bad = ferror(file) != 0;
    if (file != stdin)
        (void)fclose(file);
    if (bad)
        return error_set(reterr, ERR_IO, path, "It cannot be read: %m.");
    return out->len > FILE_MAX ? error_set(reterr, ERR_TOO_LARGE, path, "It has more than 64 MiB.") : ERR_OK;
}

struct option_place {
    const char *name;
    const char **text;
    bool *flag;
};

static int parse_number(const char *option, const char *text, int64_t *ret)
{
    char *end;
    if (text == NULL)
        return EXIT_OK;
    *ret = strtoll(text, &end, 10);
    if (*text != '\0' && *end == '\0' && *ret >= 1 && *ret <= 100)
        return EXIT_OK;
    (void)fprintf(stderr, "caudal: %s must be a number from 1 to 100, not \"%s\".\n", option, text);
    return EXIT_USAGE;
}

static int parse(int argc, char **argv, struct cli *cli)
{
    const char *limit = NULL, *count_text = NULL;
    const struct option_place options[] = {
        {"--url", &cli->url, NULL},       {"--api-key", &cli->api_key, NULL}, {"--input", &cli->input, NULL},
        {"--output", &cli->output, NULL}, {"--status", &cli->status, NULL},   {"--flow", &cli->flow, NULL},
        {"--demo", &cli->demo, NULL},     {"--limit", &limit, NULL},          {"--json", NULL, &cli->json},
        {"--failed", NULL, &cli->failed}, {"--detach", NULL, &cli->detach},   {"--from", &cli->from, NULL},
        {"--to", &cli->to, NULL},         {"--note", &cli->note, NULL},       {"--count", &count_text, NULL},
        {"--same", NULL, &cli->same},     {"--name", &cli->name, NULL},       {"--node", &cli->node, NULL}};
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            if (cli->word_count == sizeof cli->words / sizeof *cli->words) {
                (void)fprintf(stderr, "caudal: too many arguments.\n");
                return EXIT_USAGE;
            }
            cli->words[cli->word_count++] = argv[i];
            continue;
        }
        size_t k = 0, count = sizeof options / sizeof *options, n = strcspn(argv[i], "=");
        while (k < count && (strlen(options[k].name) != n || strncmp(options[k].name, argv[i], n) != 0))
            k++;
        if (k == count || (options[k].flag != NULL && argv[i][n] == '=')) {
            (void)fprintf(stderr, "caudal: there is no option %s; see caudal --help.\n", argv[i]);
            return EXIT_USAGE;
        }
        if (options[k].flag != NULL) {
            *options[k].flag = true;
        } else if (argv[i][n] == '=') {
            *options[k].text = argv[i] + n + 1;
        } else if (i + 1 < argc) {
            *options[k].text = argv[++i];
        } else {
            (void)fprintf(stderr, "caudal: %s needs a value.\n", argv[i]);
            return EXIT_USAGE;
        }
    }
    int code = parse_number("--limit", limit, &cli->limit);
    return code == EXIT_OK ? parse_number("--count", count_text, &cli->count) : code;
}

/* The command whose words the arguments begin with; they are taken away. */
static const struct command *find_command(struct cli *cli)
{
    for (const struct command *command = cli_commands; command->name != NULL; command++) {
        const char *verb = strchr(command->name, ' ');
        size_t n = verb == NULL ? strlen(command->name) : (size_t)(verb - command->name);
        int taken = verb == NULL ? 1 : 2;
        if (cli->word_count < taken || strlen(cli->words[0]) != n || strncmp(cli->words[0], command->name, n) != 0 ||
            (verb != NULL && strcmp(cli->words[1], verb + 1) != 0))
            continue;
        cli->word_count -= taken;
        memmove(cli->words, cli->words + taken, sizeof *cli->words * (size_t)cli->word_count);
        return command;
    }
    return NULL;
}

/* How many arguments a command takes, from how it is described. */
static bool count_fits(const struct command *command, int count)
{
    int least = 0, most = 0;
    for (const char *at = command->arguments; *at != '\0';) {
        size_t n = strcspn(at, " ");
        bool optional = *at == '[', option = strncmp(at, "[--", 3) == 0;
        if (option)
            n = strcspn(at, "]") + 1;
        if (!option) {
            most += n > 3 && strncmp(at + n - 3, "...", 3) == 0 ? 1000 : 1;
            least += !optional;
        }
        at += n;
        at += strspn(at, " ");
    }
    return count >= least && count <= most;
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {.url = getenv("CAUDAL_URL"),
                      .api_key = getenv("CAUDAL_API_KEY"),
                      .terminal = isatty(STDOUT_FILENO) != 0,
                      .limit = 20,
                      .count = 5};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(stdout);
            return EXIT_OK;
        } else if (strcmp(argv[i], "--version") == 0) {
            return command_version(&cli);
        }
    int code = parse(argc, argv, &cli);
    if (code != EXIT_OK)
        return code;
    if (cli.url == NULL || *cli.url == '\0')
        cli.url = "http://127.0.0.1:3001";
    const struct command *command = find_command(&cli);
    if (command == NULL) {
        if (cli.word_count > 0)
            (void)fprintf(stderr, "caudal: there is no command \"%s\".\n\n", cli.words[0]);
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (!count_fits(command, cli.word_count)) {
        (void)fprintf(stderr, "Usage: caudal %s %s\n", command->name, command->arguments);
        return EXIT_USAGE;
    }
    return command->run(&cli);
}
