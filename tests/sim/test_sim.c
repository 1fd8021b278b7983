/* Histories with every kind of fault, each kind alone, and planted defects that must be found.
 * SIM_SEED=n runs that one seed and tells its story; SIM_SEEDS=n runs n seeds instead of the default (from
 * SIM_FIRST=n on), with SIM_FAULTS of these kinds only; SIM_TEST=name runs one of the tests, SIM_PLANT=n one defect. */
#include "sim.h"

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS 60
#define SEEDS_OF_A_KIND 9
#define SEEDS_OF_A_PLANT 600

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL || *text == '\0' ? otherwise : strtoull(text, NULL, 10);
}

static uint64_t scaled(uint64_t usual)
{
    return (usual * from_environment("SIM_SEEDS", SEEDS) + SEEDS - 1) / SEEDS;
}

static void run_seeds(unsigned faults, uint64_t count)
{
    static struct sim sim;
    unsigned failed = 0;
    uint64_t only = from_environment("SIM_SEED", 0), first = only == 0 ? from_environment("SIM_FIRST", 1) : only;
    faults = (unsigned)from_environment("SIM_FAULTS", faults);
    for (uint64_t seed = first; seed < first + (only == 0 ? count : 1); seed++) {
        sim.tracing = only != 0;
        if (sim_run(&sim, seed, faults, SIM_PLANT_NONE))
            continue;
        failed++;
        print_error("%s\n  again: SIM_SEED=%llu SIM_FAULTS=%u\n", sim.problem, (unsigned long long)seed, faults);
    }
    assert_int_equal(failed, 0);
}

static void test_without_faults(void **state)
{
    (void)state;
    run_seeds(0, scaled(SEEDS_OF_A_KIND));
}

static void test_each_kind_alone(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind < SIM_ALL; kind *= 2)
        run_seeds(kind, scaled(SEEDS_OF_A_KIND));
}

static void test_all_kinds_together(void **state)
{
    (void)state;
    run_seeds(SIM_ALL, scaled(SEEDS));
}

/* The same seed is the same history, step by step. */
static void test_a_seed_repeats(void **state)
{
    (void)state;
    static struct sim first, second;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        (void)sim_run(&first, seed, SIM_ALL, SIM_PLANT_NONE);
        (void)sim_run(&second, seed, SIM_ALL, SIM_PLANT_NONE);
        assert_int_equal(first.steps, second.steps);
        assert_int_equal(first.digest, second.digest);
    }
}

/* Faults that are never drawn test nothing, nor do flows that never get there. */
static void test_all_of_it_does_happen(void **state)
{
    (void)state;
    static struct sim sim;
    static const struct {
        const char *what;
        size_t offset;
    } counts[] = {{"crashes", offsetof(struct sim, crashes)},
                  {"lost messages", offsetof(struct sim, lost)},
                  {"doubled messages", offsetof(struct sim, doubled)},
                  {"delayed messages", offsetof(struct sim, delayed)},
                  {"failed commits", offsetof(struct sim, failed_commits)},
                  {"jumps of the clock", offsetof(struct sim, jumps)},
                  {"hung workers", offsetof(struct sim, hangs)},
                  {"cancels", offsetof(struct sim, cancels)},
                  {"pauses", offsetof(struct sim, pauses)},
                  {"unheard broadcasts", offsetof(struct sim, unheard)},
                  {"late broadcasts", offsetof(struct sim, late)},
                  {"starts that a rate holds back", offsetof(struct sim, held_back)},
                  {"items of for-each", offsetof(struct sim, iterations)},
                  {"waits that their item's time ends", offsetof(struct sim, endless)},
                  {"passes of loops", offsetof(struct sim, passes)},
                  {"children", offsetof(struct sim, children)},
                  {"distributed items", offsetof(struct sim, bodies)},
                  {"signals", offsetof(struct sim, signals)},
                  {"answers", offsetof(struct sim, answers)},
                  {"instants of schedules", offsetof(struct sim, firings)},
                  {"instants of backfills", offsetof(struct sim, fillings)},
                  {"merges of the first", offsetof(struct sim, firsts)},
                  {"failures", offsetof(struct sim, failures)},
                  {"retries", offsetof(struct sim, retries)}};
    uint64_t sums[sizeof counts / sizeof *counts] = {0};
    for (uint64_t seed = 1; seed <= 36; seed++) {
        (void)sim_run(&sim, seed, SIM_ALL, SIM_PLANT_NONE);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            sums[i] += *(const uint64_t *)(const void *)((const char *)&sim + counts[i].offset);
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (sums[i] == 0)
            fail_msg("there are no %s", counts[i].what);
}

/* Each must be found as the broken promise that it is: any other complaint does not count. */
static void test_planted_defects_are_found(void **state)
{
    (void)state;
    static const unsigned any = SIM_ALL & ~SIM_WORDS; /* who does not hear what a person says need not keep to it */
    static const struct {
        const char *complaint;
        unsigned faults; /* 0: any */
        uint64_t first;  /* where it showed; 0: at once */
    } plants[SIM_PLANT_COUNT] = {
        [SIM_PLANT_DROP_REASSIGN] = {"is stuck", 0, 0},
        [SIM_PLANT_OLDER_EPOCH] = {"took an event of epoch", 0, 13},
        [SIM_PLANT_LOSE_CHECKPOINT] = {"was stored as done by epoch", 0, 6},
        [SIM_PLANT_FORGET_WAIT] = {"is stuck", 0, 12},
        [SIM_PLANT_EARLY_WAIT] = {"before the wait", 0, 12},
        [SIM_PLANT_IGNORE_CANCEL] = {"after a person cancelled it", SIM_PERSON, 10},
        [SIM_PLANT_UNSTABLE_KEY] = {"the idempotency key of", 0, 0},
        [SIM_PLANT_FORGET_ACCEPTED] = {"was accepted and is not there", 0, 0},
        [SIM_PLANT_IGNORE_LIMITS] = {"started before its turn had come", 0, 15},
        [SIM_PLANT_IGNORE_RATES] = {"were let in within its period", 0, 8},
        [SIM_PLANT_MUTE_CHILD] = {"is stuck", 0, 0},
        [SIM_PLANT_EARLY_SIGNAL] = {"is stuck", SIM_STORE, 81},
        [SIM_PLANT_NO_LEDGER] = {"and shows no attempt of it", SIM_CRASH_WORKER, 22},
        [SIM_PLANT_LEAVE_CHILDREN] = {"its parent was cancelled", SIM_PERSON, 112},
        [SIM_PLANT_SECOND_CHILD] = {"executions, it should have started", SIM_STORE, 81},
        [SIM_PLANT_LOSE_ANSWER] = {"is stuck", 0, 84},
        [SIM_PLANT_SECOND_ANSWER] = {"was answered twice", 0, 0},
        [SIM_PLANT_FIRE_TWICE] = {"was fired twice", 0, 0},
        [SIM_PLANT_IGNORE_OVERLAP] = {"runs beside another one of its schedule", 0, 16},
        [SIM_PLANT_FORGET_INSTANT] = {"nobody has dealt with the instant", 0, 0},
        [SIM_PLANT_CROWD_BACKFILL] = {"executions of the backfill are unfinished", 0, 0},
        [SIM_PLANT_SKIP_BACKFILL] = {"instants of the backfill", 0, 0},
        [SIM_PLANT_NEW_ITEM_TIME] = {"is stuck", 0, 32},
        [SIM_PLANT_DROP_RESTORE] = {"in the execution that it retries and started again", SIM_PERSON, 10},
    };
    static struct sim sim;
    int only = (int)from_environment("SIM_PLANT", 0);
    for (int plant = only == 0 ? 1 : only; plant < (only == 0 ? SIM_PLANT_COUNT : only + 1); plant++) {
        unsigned faults = plants[plant].faults == 0 ? any : plants[plant].faults;
        uint64_t first = plants[plant].first == 0 ? 1 : plants[plant].first, seed = first;
        while (seed < first + SEEDS_OF_A_PLANT && (sim_run(&sim, seed, faults, (enum sim_plant)plant) ||
                                                   strstr(sim.problem, plants[plant].complaint) == NULL))
            seed++;
        if (seed == first + SEEDS_OF_A_PLANT)
            fail_msg("the planted defect %d was not found within %d seeds", plant, SEEDS_OF_A_PLANT);
        print_message("defect %d: %s\n", plant, sim.problem);
    }
}

int main(void)
{
    log_set_level(LOG_ERROR); /* what goes wrong on purpose is no news */
    const struct CMUnitTest one[] = {cmocka_unit_test(test_all_kinds_together)};
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_without_faults),        cmocka_unit_test(test_each_kind_alone),
        cmocka_unit_test(test_all_kinds_together),    cmocka_unit_test(test_a_seed_repeats),
        cmocka_unit_test(test_all_of_it_does_happen), cmocka_unit_test(test_planted_defects_are_found)};
    if (getenv("SIM_TEST"))
        cmocka_set_test_filter(getenv("SIM_TEST"));
    if (getenv("SIM_SEED") != NULL || getenv("SIM_FAULTS") != NULL)
        return cmocka_run_group_tests(one, NULL, NULL);
    return cmocka_run_group_tests(all, NULL, NULL);
}
