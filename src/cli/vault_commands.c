/* caudal variable …, caudal secret … */
#include "cli/cli.h"

#include "base/mem.h"
#include "base/seal.h"
#include "base/utf8.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const char variables[] = "variables", secrets[] = "secrets";

/* /variables or /flows/ID/variables, with the name behind it unless it is NULL. */
static int path_of(const struct cli *cli, const char *kind, const char *name, char **ret_path)
{
    char flow[40] = "";
    int code = cli->flow == NULL ? EXIT_OK : client_find_flow(cli, cli->flow, flow);
    if (code != EXIT_OK)
        return code;
    AUTO_FREE char *escaped = name == NULL ? NULL : client_escape(name);
    *ret_path = mem_printf("%s%s/%s%s%s", flow[0] == '\0' ? "" : "/flows/", flow, kind, name == NULL ? "" : "/",
                           name == NULL ? "" : escaped);
    return EXIT_OK;
}

static void print_row(const char *kind, const struct json *row)
{
    const char *by = json_get_str(row, "updatedBy");
    (void)printf("%-32s %s  %-16s ", json_get_str(row, "name"), json_get_str(row, "updatedAt"), by == NULL ? "" : by);
    if (kind == secrets) {
        bool readable = json_get_bool(row, "readable", false), current = json_get_bool(row, "current", false);
        (void)printf("%s\n", !readable ? "no key opens it" : current ? "" : "sealed under an older key");
        return;
    }
    AUTO_FREE char *value = json_dup_text(json_get(row, "value"));
    (void)printf("%s\n", value);
}

static int list(const struct cli *cli, const char *kind)
{
    AUTO_FREE char *path = NULL;
    AUTO_JSON struct json *rows = NULL;
    int code = path_of(cli, kind, NULL, &path);
    if (code == EXIT_OK)
        code = client_call(cli, "GET", path, NULL, &rows);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(rows);
    for (size_t i = 0; i < json_count(rows); i++)
        print_row(kind, json_at(rows, i));
    if (json_count(rows) == 0)
        (void)printf("No %s.\n", kind);
    return EXIT_OK;
}

/* One line, which the terminal does not show. */
static enum err ask(struct buf *out, struct error *reterr)
{
    struct termios shown, hidden;
    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return error_set(reterr, ERR_IO, NULL, "The terminal cannot be asked: %m.");
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    (void)fprintf(stderr, "Value: ");
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    for (int c = getchar(); c != EOF && c != '\n'; c = getchar())
        buf_add_char(out, (char)c);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    (void)fprintf(stderr, "\n");
    return ERR_OK;
}

static bool is_utf8(const struct buf *text)
{
    uint32_t code_point;
    size_t used = 1;
    for (size_t i = 0; i < text->len && used > 0; i += used)
        used = utf8_decode(text->data + i, text->len - i, &code_point);
    return used > 0;
}

/* From a file, or standard input: what stands in an argument is shown to everybody on the machine. One newline at the
 * end is the editor's, or echo's. */
static enum err read_value(const struct cli *cli, bool hidden, struct buf *out, struct error *reterr)
{
    const char *path = cli->word_count > 1 ? cli->words[1] : "-";
    bool asks = hidden && strcmp(path, "-") == 0 && isatty(STDIN_FILENO) != 0;
    enum err code = asks ? ask(out, reterr) : cli_read_file(path, out, reterr);
    if (code != ERR_OK)
        return code;
    if (out->len > 0 && out->data[out->len - 1] == '\n')
        out->data[--out->len] = '\0';
    if (out->len > 0 && out->data[out->len - 1] == '\r')
        out->data[--out->len] = '\0';
    if (!is_utf8(out))
        return error_set(reterr, ERR_VALIDATION, NULL, "The value is no UTF-8 text; encode other data in base64.");
    return ERR_OK;
}

static int set(const struct cli *cli, const char *kind)
{
    AUTO_FREE char *path = NULL;
    AUTO_BUF struct buf text = {0};
    AUTO_JSON struct json *body = json_object_new();
    AUTO_JSON struct json *row = NULL;
    struct json *value = NULL;
    struct error error = {0};
    int code = path_of(cli, kind, cli->words[0], &path);
    if (code != EXIT_OK)
        return code;
    if (read_value(cli, kind == secrets, &text, &error) != ERR_OK)
        return cli_fail(&error);
    if (kind == secrets || json_parse(buf_str(&text), text.len, &value, &error) != ERR_OK)
        value = json_string_new_n(buf_str(&text), text.len);
    json_set(body, "value", value);
    code = client_call(cli, "PUT", path, body, &row);
    if (text.data != NULL)
        explicit_bzero(text.data, text.cap);
    if (code != EXIT_OK || cli->json)
        return code != EXIT_OK ? code : cli_print_json(row);
    print_row(kind, row);
    return EXIT_OK;
}

static int remove_one(const struct cli *cli, const char *kind)
{
    AUTO_FREE char *path = NULL;
    int code = path_of(cli, kind, cli->words[0], &path);
    return code == EXIT_OK ? client_call(cli, "DELETE", path, NULL, NULL) : code;
}

int command_variable_list(const struct cli *cli)
{
    return list(cli, variables);
}

int command_variable_set(const struct cli *cli)
{
    return set(cli, variables);
}

int command_variable_delete(const struct cli *cli)
{
    return remove_one(cli, variables);
}

int command_secret_list(const struct cli *cli)
{
    return list(cli, secrets);
}

int command_secret_set(const struct cli *cli)
{
    return set(cli, secrets);
}

int command_secret_delete(const struct cli *cli)
{
    return remove_one(cli, secrets);
}

static int report_rotation(const struct json *answer, int64_t resealed)
{
    const struct json *unreadable = json_get(answer, "unreadable");
    int64_t count = json_get_int(answer, "unreadableCount", 0);
    (void)printf("%lld of %lld secrets sealed anew.\n", (long long)resealed,
                 (long long)json_get_int(answer, "total", 0));
    for (size_t i = 0; i < json_count(unreadable); i++) {
        const struct json *place = json_at(unreadable, i);
        const char *flow = json_get_str(place, "flowId");
        (void)fprintf(stderr, "caudal: no key opens %s%s%s.\n", json_get_str(place, "name"),
                      flow == NULL ? "" : " of flow ", flow == NULL ? "" : flow);
    }
    if (count > (int64_t)json_count(unreadable))
        (void)fprintf(stderr, "caudal: and %lld more.\n", (long long)(count - (int64_t)json_count(unreadable)));
    return count == 0 ? EXIT_OK : EXIT_FAILED;
}

int command_secret_rotate(const struct cli *cli)
{
    int64_t resealed = 0;
    for (;;) {
        AUTO_JSON struct json *answer = NULL;
        int code = client_call(cli, "POST", "/secrets/rotate", NULL, &answer);
        if (code != EXIT_OK)
            return code;
        resealed += json_get_int(answer, "resealed", 0);
        if (!json_get_bool(answer, "done", true)) {
            if (cli->terminal)
                (void)fprintf(stderr, "%lld left\n", (long long)json_get_int(answer, "remaining", 0));
            continue;
        }
        if (!cli->json)
            return report_rotation(answer, resealed);
        json_set_int(answer, "resealed", resealed);
        (void)cli_print_json(answer);
        return json_get_int(answer, "unreadableCount", 0) == 0 ? EXIT_OK : EXIT_FAILED;
    }
}

int command_secret_key(const struct cli *cli)
{
    (void)cli;
    char word[SEAL_WORD_BYTES];
    seal_word_new(word);
    (void)printf("%s\n", word);
    explicit_bzero(word, sizeof word);
    return EXIT_OK;
}
