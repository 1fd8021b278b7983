/* The kernel's part of a runner's isolation: limits, and a filter of system calls. */
#include "script/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void sandbox_enter(int keep)
{
    pid_t parent = getppid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it died meanwhile */
    (void)syscall(SYS_close_range, keep + 1, ~0U, 0);
    (void)prctl(PR_SET_NAME, "caudal-script");
}

static void limit(int what, rlim_t most)
{
    const struct rlimit value = {most, most};
    (void)setrlimit((__rlimit_resource_t)what, &value);
}

bool sandbox_memory(int statm, size_t *ret_mapped, size_t *ret_resident)
{
    char text[128];
    ssize_t n = pread(statm, text, sizeof text - 1, 0);
    if (n <= 0)
        return false;
    text[n] = '\0';
    char *rest;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    *ret_mapped = strtoul(text, &rest, 10) * page;
    *ret_resident = strtoul(rest, NULL, 10) * page;
    return true;
}

/* Memory, threads of this process, time, and the two descriptors that are open. */
static const int allowed[] = {SCMP_SYS(read),
                              SCMP_SYS(write),
                              SCMP_SYS(pread64),
                              SCMP_SYS(recvfrom),
                              SCMP_SYS(sendto),
                              SCMP_SYS(poll),
                              SCMP_SYS(ppoll),
                              SCMP_SYS(futex),
                              SCMP_SYS(mmap),
                              SCMP_SYS(munmap),
                              SCMP_SYS(mremap),
                              SCMP_SYS(mprotect),
                              SCMP_SYS(madvise),
                              SCMP_SYS(mincore),
                              SCMP_SYS(brk),
                              SCMP_SYS(membarrier),
                              SCMP_SYS(set_robust_list),
                              SCMP_SYS(rseq),
                              SCMP_SYS(sched_yield),
                              SCMP_SYS(sched_getaffinity),
                              SCMP_SYS(sched_getparam),
                              SCMP_SYS(sched_getscheduler),
                              SCMP_SYS(sched_setscheduler),
                              SCMP_SYS(setpriority),
                              SCMP_SYS(clock_gettime),
                              SCMP_SYS(clock_getres),
                              SCMP_SYS(clock_nanosleep),
                              SCMP_SYS(nanosleep),
                              SCMP_SYS(gettimeofday),
                              SCMP_SYS(getpid),
                              SCMP_SYS(gettid),
                              SCMP_SYS(getrandom),
                              SCMP_SYS(getrusage),
                              SCMP_SYS(sysinfo),
                              SCMP_SYS(rt_sigaction),
                              SCMP_SYS(rt_sigprocmask),
                              SCMP_SYS(rt_sigreturn),
                              SCMP_SYS(rt_sigtimedwait),
                              SCMP_SYS(rt_sigsuspend), /* how the collector stops threads */
                              SCMP_SYS(sigaltstack),
                              SCMP_SYS(restart_syscall),
                              SCMP_SYS(exit),
                              SCMP_SYS(exit_group),
                              SCMP_SYS(close)};

static int add_rules(scmp_filter_ctx filter)
{
    int bad = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        bad |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    /* Threads, not processes: glibc falls back from clone3, whose flags cannot be seen here. */
    bad |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    const struct scmp_arg_cmp thread = {
        .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD | CLONE_VM, .datum_b = CLONE_THREAD | CLONE_VM};
    bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread);
    const struct scmp_arg_cmp itself = {.op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};
    bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &itself); /* its own threads only */
    const struct scmp_arg_cmp name = {.op = SCMP_CMP_EQ, .datum_a = PR_SET_NAME};
    bad |= seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, &name);
    return bad;
}

enum err sandbox_close(size_t memory_bytes, int statm, struct error *reterr)
{
    size_t mapped, resident;
    if (!sandbox_memory(statm, &mapped, &resident))
        return error_set(reterr, ERR_IO, NULL, "The runner cannot read its memory's size: %m.");
    limit(RLIMIT_AS, mapped + memory_bytes);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NOFILE, 0);
    limit(RLIMIT_MSGQUEUE, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_set(reterr, ERR_IO, NULL, "The runner cannot give up new privileges: %m.");
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL)
        return error_set(reterr, ERR_IO, NULL, "The filter of system calls cannot be made.");
    int bad = add_rules(filter);
    if (bad == 0)
        bad = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1); /* the engine's threads, too */
    if (bad == 0)
        bad = seccomp_load(filter);
    seccomp_release(filter);
    return bad == 0 ? ERR_OK
                    : error_set(reterr, ERR_IO, NULL, "The filter of system calls is refused: error %d.", -bad);
}
