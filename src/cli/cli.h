/* The command line. Every command returns its exit code. */
#pragma once
#include "base/error.h"
#include "json/json.h"

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1, /* it was tried and failed: an execution failed, a flow is not valid, the service cannot start */
    EXIT_USAGE = 2,  /* the command line is not right */
    EXIT_UNREACHABLE = 3, /* the service does not answer */
    EXIT_REFUSED = 4      /* the service answered with an error */
};

struct cli {
    const char *url, *api_key; /* of the service */
    bool json;                 /* --json: machine-readable output */
    bool terminal;             /* standard output is one: progress may be shown */
    const char *words[16];     /* arguments without options */
    int word_count;
    const char *input, *output, *status, *flow, *demo, *from, *to, *note, *name,
        *node; /* of options; NULL: not given */
    int64_t limit, count;
    bool failed, detach, yes, same;
};

struct command {
    const char *name, *arguments, *summary;
    int (*run)(const struct cli *cli);
};
extern const struct command cli_commands[]; /* ends with name NULL; names of two words are group and verb */

/* Parses and runs; `argv[0]` is the program. */
int cli_main(int argc, char **argv);

/* One call of the service's API. *ret: the payload (`data`), yours; NULL for none. On an answer with an error:
 * EXIT_REFUSED, and it is printed to standard error; EXIT_UNREACHABLE likewise. */
int client_call(const struct cli *cli, const char *method, const char *path, const struct json *body,
                struct json **ret);
char *client_escape(const char *text); /* for a query; heap, yours */
/* The id of a flow given by id or name; prints what is wrong. */
int client_find_flow(const struct cli *cli, const char *flow, char ret_id[40]);

/* Reads a whole file, or standard input for "-"; at most 64 MiB. */
enum err cli_read_file(const char *path, struct buf *out, struct error *reterr) ERROR_MUST_CHECK;
/* An option's JSON text, or @FILE; *ret is untouched when nothing was given. */
enum err cli_read_input(const char *given, struct json **ret, struct error *reterr) ERROR_MUST_CHECK;
int cli_fail(const struct error *error); /* prints it; EXIT_FAILED */
int cli_print_json(const struct json *value);
void cli_print_execution(const struct json *execution); /* for people: status, nodes, result */
/* Follows an execution to its end, printing its log; the exit code says how it ended. */
int cli_follow(const struct cli *cli, const char *execution_id);
/* Creates the flow of a file, or changes the one of that name. */
int cli_import(const struct cli *cli, const char *path, struct json **ret_flow);

int command_standalone(const struct cli *cli);
int command_gateway(const struct cli *cli);
int command_orchestrator(const struct cli *cli);
int command_worker(const struct cli *cli);
int command_migrate(const struct cli *cli);
int command_config(const struct cli *cli);
int command_nodes(const struct cli *cli);
int command_openapi(const struct cli *cli);
int command_topology(const struct cli *cli);
int command_messages(const struct cli *cli);
int command_asyncapi(const struct cli *cli);
int command_completion(const struct cli *cli);
int command_variable_list(const struct cli *cli);
int command_variable_set(const struct cli *cli);
int command_variable_delete(const struct cli *cli);
int command_secret_list(const struct cli *cli);
int command_secret_set(const struct cli *cli);
int command_secret_delete(const struct cli *cli);
int command_secret_rotate(const struct cli *cli);
int command_secret_key(const struct cli *cli);
int command_version(const struct cli *cli);
int command_flow_list(const struct cli *cli);
int command_flow_validate(const struct cli *cli);
int command_flow_run(const struct cli *cli);
int command_flow_import(const struct cli *cli);
int command_flow_export(const struct cli *cli);
int command_execution_list(const struct cli *cli);
int command_execution_show(const struct cli *cli);
int command_execution_follow(const struct cli *cli);
int command_execution_cancel(const struct cli *cli);
int command_execution_retry(const struct cli *cli);
int command_execution_rerun(const struct cli *cli);
int command_execution_signal(const struct cli *cli);
int command_execution_delete(const struct cli *cli);
int command_execution_attempts(const struct cli *cli);
int command_flow_versions(const struct cli *cli);
int command_flow_diff(const struct cli *cli);
int command_flow_publish(const struct cli *cli);
int command_flow_rollback(const struct cli *cli);
int command_schedule_list(const struct cli *cli);
int command_schedule_next(const struct cli *cli);
int command_schedule_pause(const struct cli *cli);
int command_schedule_resume(const struct cli *cli);
int command_schedule_backfill(const struct cli *cli);
