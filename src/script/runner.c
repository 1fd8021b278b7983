/* A runner: takes calls from its socket, one after the other, and answers each. */
#include "script/runner.h"

#include "base/limits.h"
#include "base/mem.h"
#include "script/frame.h"
#include "script/jsc.h"
#include "script/native.h"
#include "script/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET 0
#define REALMS_MAX 32
#define PROGRAMS_MAX 500 /* compiled ones in a realm */
#define CHUNK_BYTES ((size_t)64 << 10)
#define RETIRE_BYTES_MIN ((size_t)96 << 20) /* the engine's own heaps grow to some such size */
#define LOOK_AT_SOCKET_EVERY 8              /* calls, while there are more at hand: for cancellations */

extern const char script_prelude_js[], script_mapper_js[];

/* A world of its own: a global object with all built-ins. */
struct realm {
    char *key;
    JSGlobalContextRef context;
    JSObjectRef dispatch, take;
    uint64_t used_at;
};

struct runner {
    struct jsc jsc;
    JSContextGroupRef group;
    struct realm realms[REALMS_MAX];
    unsigned realm_count;
    uint64_t clock;
    int statm;
    size_t base_mapped, retire_bytes;
    struct buf in;
    size_t at, scanned; /* in `in`: the next frame; how far cancellations were looked for */
    uint32_t *cancelled;
    size_t cancelled_count, cancelled_cap;
};

/* JavaScriptCore's callbacks carry no pointer of ours. */
static const struct jsc *jsc;

static char *text_of(JSContextRef context, JSValueRef value)
{
    JSValueRef exception = NULL;
    JSStringRef string = jsc->JSValueToStringCopy(context, value, &exception);
    if (string == NULL)
        return mem_dup("");
    size_t size = jsc->JSStringGetMaximumUTF8CStringSize(string);
    char *text = mem_alloc(size);
    (void)jsc->JSStringGetUTF8CString(string, text, size);
    jsc->JSStringRelease(string);
    return text;
}

static JSValueRef value_of(JSContextRef context, const char *text)
{
    JSStringRef string = jsc->JSStringCreateWithUTF8CString(text);
    JSValueRef value = jsc->JSValueMakeString(context, string);
    jsc->JSStringRelease(string);
    return value;
}

static int line_of(JSContextRef context, JSValueRef exception)
{
    JSStringRef key = jsc->JSStringCreateWithUTF8CString("line");
    JSObjectRef error = jsc->JSValueToObject(context, exception, NULL);
    JSValueRef line = error == NULL ? NULL : jsc->JSObjectGetProperty(context, error, key, NULL);
    double number = line == NULL ? 0 : jsc->JSValueToNumber(context, line, NULL);
    jsc->JSStringRelease(key);
    return number > 0 && number < 1e9 ? (int)number : 0;
}

/* Errors of functions made from text do not tell where; those of scripts do. 0: it is right, or nobody knows. */
static int broken_line(JSContextRef context, const char *text)
{
    JSStringRef script = jsc->JSStringCreateWithUTF8CString(text);
    JSValueRef exception = NULL;
    bool good = jsc->JSCheckScriptSyntax(context, script, NULL, 1, &exception);
    jsc->JSStringRelease(script);
    return good || exception == NULL ? 0 : line_of(context, exception);
}

static JSValueRef on_native(JSContextRef context, JSObjectRef function, JSObjectRef self, size_t count,
                            const JSValueRef arguments[], JSValueRef *exception)
{
    (void)function;
    (void)self;
    (void)exception;
    char *texts[4] = {NULL};
    AUTO_BUF struct buf out;
    buf_init(&out, 0);
    for (size_t i = 0; i < 4; i++)
        texts[i] = i < count ? text_of(context, arguments[i]) : mem_dup("");
    bool done = true;
    if (strcmp(texts[0], "line") == 0)
        buf_printf(&out, "%d", broken_line(context, texts[1]));
    else
        done = native_call(texts[0], texts[1], texts[2], texts[3], &out);
    for (size_t i = 0; i < 4; i++)
        free(texts[i]);
    return done ? value_of(context, buf_str(&out)) : jsc->JSValueMakeUndefined(context);
}

static JSObjectRef member(JSContextRef context, JSObjectRef object, const char *name)
{
    JSStringRef key = jsc->JSStringCreateWithUTF8CString(name);
    JSValueRef value = jsc->JSObjectGetProperty(context, object, key, NULL);
    jsc->JSStringRelease(key);
    return value == NULL || jsc->JSValueIsUndefined(context, value) ? NULL : jsc->JSValueToObject(context, value, NULL);
}

static JSObjectRef evaluate(JSContextRef context, const char *source, const char *name)
{
    JSStringRef text = jsc->JSStringCreateWithUTF8CString(source), url = jsc->JSStringCreateWithUTF8CString(name);
    JSValueRef value = jsc->JSEvaluateScript(context, text, NULL, url, 1, NULL);
    jsc->JSStringRelease(text);
    jsc->JSStringRelease(url);
    return value == NULL ? NULL : jsc->JSValueToObject(context, value, NULL);
}

/* A new world; its `dispatch` is NULL when it cannot be made. */
static struct realm realm_make(const struct runner *runner, bool frozen)
{
    char limits[160];
    struct realm realm = {.context = jsc->JSGlobalContextCreateInGroup(runner->group, NULL)};
    (void)snprintf(limits, sizeof limits, "({lines: 99, line: 8192, output: %d, programs: %d})",
                   LIMIT_SCRIPT_OUTPUT_BYTES, PROGRAMS_MAX);
    JSObjectRef make = evaluate(realm.context, frozen ? script_prelude_js : script_mapper_js,
                                frozen ? "caudal:prelude" : "caudal:mapper");
    JSObjectRef given = evaluate(realm.context, limits, "caudal:limits");
    JSObjectRef native = jsc->JSObjectMakeFunctionWithCallback(realm.context, NULL, on_native);
    JSValueRef arguments[] = {native, given};
    JSValueRef made = make == NULL || given == NULL
                          ? NULL
                          : jsc->JSObjectCallAsFunction(realm.context, make, NULL, frozen ? 2 : 1,
                                                        frozen ? arguments : arguments + 1, NULL);
    if (made == NULL)
        return realm;
    JSObjectRef object = jsc->JSValueToObject(realm.context, made, NULL);
    realm.dispatch = member(realm.context, object, "dispatch");
    realm.take = member(realm.context, object, "take");
    if (realm.dispatch != NULL)
        jsc->JSValueProtect(realm.context, realm.dispatch);
    if (realm.take != NULL)
        jsc->JSValueProtect(realm.context, realm.take);
    return realm;
}

static void realm_done(struct realm *realm)
{
    jsc->JSGlobalContextRelease(realm->context);
    free(realm->key);
    *realm = (struct realm){0};
}

/* The frozen world of a flow version; the one not used for longest makes room. */
static struct realm *realm_get(struct runner *runner, const char *key)
{
    struct realm *oldest = &runner->realms[0];
    for (unsigned i = 0; i < runner->realm_count; i++) {
        struct realm *realm = &runner->realms[i];
        if (strcmp(realm->key, key) == 0) {
            realm->used_at = ++runner->clock;
            return realm;
        }
        if (realm->used_at < oldest->used_at)
            oldest = realm;
    }
    if (runner->realm_count == REALMS_MAX)
        realm_done(oldest);
    else
        oldest = &runner->realms[runner->realm_count++];
    *oldest = realm_make(runner, true);
    oldest->key = mem_dup(key);
    oldest->used_at = ++runner->clock;
    return oldest;
}

static void send_all(const struct buf *bytes)
{
    for (size_t at = 0; at < bytes->len;) {
        ssize_t n = send(SOCKET, bytes->data + at, bytes->len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            _exit(0); /* nobody listens any more */
        at += (size_t)n;
    }
}

static void send_frame(uint32_t call, enum frame_kind kind, const char *text)
{
    AUTO_BUF struct buf bytes;
    buf_init(&bytes, 0);
    frame_encode(&(struct frame){.call = call, .kind = kind, .count = 1, .texts = {{text, strlen(text)}}}, &bytes);
    send_all(&bytes);
}

static char *call_realm(const struct realm *realm, const struct frame *frame, const char *kind)
{
    JSContextRef context = realm->context;
    if (realm->dispatch == NULL)
        return mem_dup("\n{\"e\":{\"message\":\"The JavaScript runner could not prepare itself.\"}}");
    JSValueRef arguments[] = {value_of(context, kind), value_of(context, frame->texts[1].bytes),
                              value_of(context, frame->texts[2].bytes)};
    JSValueRef answer = jsc->JSObjectCallAsFunction(context, realm->dispatch, NULL, 3, arguments, NULL);
    if (answer != NULL && jsc->JSValueIsUndefined(context, answer) && realm->take != NULL)
        answer = jsc->JSObjectCallAsFunction(context, realm->take, NULL, 0, NULL, NULL);
    if (answer == NULL) /* only when memory or stack ran out in the middle of telling so */
        return mem_dup("\n{\"e\":{\"limit\":true,\"message\":\"Out of memory\"}}");
    return text_of(context, answer);
}

static void run_call(struct runner *runner, const struct frame *frame)
{
    static const char *const kinds[] = {
        [FRAME_EXPRESSIONS] = "expressions", [FRAME_CODE] = "code", [FRAME_MAP] = "map", [FRAME_CHECK] = "check"};
    if (frame->kind > FRAME_CHECK || frame->count != 3)
        _exit(1);
    AUTO_FREE char *answer = NULL;
    if (frame->kind == FRAME_MAP) {
        struct realm realm = realm_make(runner, false);
        answer = call_realm(&realm, frame, kinds[frame->kind]);
        realm_done(&realm);
    } else {
        answer = call_realm(realm_get(runner, frame->texts[0].bytes), frame, kinds[frame->kind]);
    }
    send_frame(frame->call, FRAME_ANSWER, answer);
}

/* Reads what is there; `wait`: at least something. */
static void receive(struct runner *runner, bool wait)
{
    if (runner->at == runner->in.len) {
        buf_clear(&runner->in);
        runner->at = runner->scanned = 0;
    } else if (runner->at > runner->in.len / 2) {
        size_t left = runner->in.len - runner->at;
        memmove(runner->in.data, runner->in.data + runner->at, left);
        runner->in.len = left;
        runner->scanned -= runner->at;
        runner->at = 0;
    }
    static char chunk[CHUNK_BYTES];
    for (;;) {
        ssize_t n = recv(SOCKET, chunk, sizeof chunk, wait ? 0 : MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0)
            _exit(0);
        buf_add(&runner->in, chunk, (size_t)n);
        wait = false;
    }
}

static bool next_frame(const struct runner *runner, size_t at, struct frame *ret, size_t *ret_used)
{
    if (at >= runner->in.len)
        return false;
    enum frame_outcome outcome = frame_decode(runner->in.data + at, runner->in.len - at, ret, ret_used);
    if (outcome == FRAME_BROKEN)
        _exit(1);
    return outcome == FRAME_WHOLE;
}

/* Cancellations overtake the calls that wait. */
static void look_for_cancellations(struct runner *runner)
{
    struct frame frame;
    size_t used;
    while (next_frame(runner, runner->scanned, &frame, &used)) {
        runner->scanned += used;
        if (frame.kind != FRAME_CANCEL)
            continue;
        if (runner->cancelled_count == runner->cancelled_cap) {
            runner->cancelled_cap = runner->cancelled_cap == 0 ? 64 : runner->cancelled_cap * 2;
            runner->cancelled = mem_resize(runner->cancelled, runner->cancelled_cap * sizeof *runner->cancelled);
        }
        runner->cancelled[runner->cancelled_count++] = frame.call;
    }
}

static bool is_cancelled(const struct runner *runner, uint32_t call)
{
    for (size_t i = 0; i < runner->cancelled_count; i++)
        if (runner->cancelled[i] == call)
            return true;
    return false;
}

static void forget_cancelled(struct runner *runner, uint32_t call)
{
    for (size_t i = 0; i < runner->cancelled_count; i++)
        if (runner->cancelled[i] == call)
            runner->cancelled[i--] = runner->cancelled[--runner->cancelled_count];
}

/* A runner that has become fat ends between two calls: the next one shall have its share. */
static void retire_if_fat(const struct runner *runner)
{
    size_t mapped, resident;
    if (!sandbox_memory(runner->statm, &mapped, &resident) || mapped < runner->base_mapped + runner->retire_bytes)
        return;
    send_frame(0, FRAME_RETIRE, "");
    _exit(0);
}

static void serve(struct runner *runner)
{
    for (uint64_t calls = 0;;) {
        struct frame frame;
        size_t used;
        bool ready = next_frame(runner, runner->at, &frame, &used);
        if (!ready || calls % LOOK_AT_SOCKET_EVERY == 0) {
            receive(runner, !ready);
            look_for_cancellations(runner);
        }
        if (!next_frame(runner, runner->at, &frame, &used))
            continue;
        if (frame.kind == FRAME_CANCEL) {
            forget_cancelled(runner, frame.call);
        } else if (is_cancelled(runner, frame.call)) {
            forget_cancelled(runner, frame.call);
            send_frame(frame.call, FRAME_DROPPED, "");
        } else {
            run_call(runner, &frame);
            retire_if_fat(runner);
            calls++;
        }
        runner->at += used;
    }
}

/* Everything that the engine loads or starts when first used is used once before the door closes. */
static bool warm_up(struct runner *runner)
{
    static const char program[] =
        "[\"$date.format(now, 'EEEE d MMMM', 'Europe/Madrid', 'es') + $hash.sha256('a')\","
        "\"[3,1,2].sort().map(x => x ** 2).join().replace(/\\\\d+/g, '$&').normalize()\","
        "\"(() => { let n = 0; for (let i = 0; i < 20000; i++) n += Math.sin(i); return n })()\"]";
    static const char data[] = "{\"now\":0}";
    const struct frame frame = {.count = 3, .texts = {{"", 0}, {program, sizeof program - 1}, {data, sizeof data - 1}}};
    struct realm frozen = realm_make(runner, true), open = realm_make(runner, false);
    AUTO_FREE char *answer = frozen.dispatch == NULL ? NULL : call_realm(&frozen, &frame, "expressions");
    bool good = open.dispatch != NULL && answer != NULL && strstr(answer, "\"e\"") == NULL;
    realm_done(&frozen);
    realm_done(&open);
    return good;
}

static enum err prepare(struct runner *runner, size_t memory_bytes, struct error *reterr)
{
    runner->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (runner->statm < 0)
        return error_set(reterr, ERR_IO, NULL, "The runner cannot open /proc/self/statm: %m.");
    enum err code = jsc_load(&runner->jsc, reterr);
    if (code != ERR_OK)
        return code;
    jsc = &runner->jsc;
    runner->group = jsc->JSContextGroupCreate();
    if (!warm_up(runner))
        return error_set(reterr, ERR_INTERNAL, NULL, "The JavaScript helpers do not start.");
    runner->retire_bytes = memory_bytes / 2 > RETIRE_BYTES_MIN ? memory_bytes / 2 : RETIRE_BYTES_MIN;
    size_t resident;
    if (!sandbox_memory(runner->statm, &runner->base_mapped, &resident))
        return error_set(reterr, ERR_IO, NULL, "The runner cannot read its memory's size: %m.");
    return sandbox_close(runner->retire_bytes + memory_bytes, runner->statm, reterr);
}

int script_runner_main(size_t memory_bytes)
{
    sandbox_enter(SOCKET);
    int null = open("/dev/null", O_RDWR); /* 1; what the engine has to say when it crashes goes nowhere */
    if (null != 1 || dup2(null, 2) != 2)
        return 1;
    struct runner *runner = mem_alloc(sizeof *runner);
    struct error error = {0};
    buf_init(&runner->in, 0);
    if (prepare(runner, memory_bytes, &error) != ERR_OK) {
        send_frame(0, FRAME_READY, error.message);
        return 1;
    }
    send_frame(0, FRAME_READY, "");
    serve(runner);
    return 0;
}
