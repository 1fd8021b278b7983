/* In which order, and with what left out, a batch is written. */
#include "base/mem.h"
#include "orchestrator/orchestrator_int.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void add_event(struct batch *batch, const char *text)
{
    struct error error;
    struct entry *entry = batch_add(batch);
    assert_int_equal(json_parse(text, strlen(text), &entry->given_up, &error), ERR_OK);
    entry->event = entry->given_up; /* which the batch frees */
}

/* "started a, finished a, again a 1" of what is not skipped. */
static void tell(const struct batch *batch, struct buf *out)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct entry *entry = &batch->entries[i];
        if (entry->skip)
            continue;
        if (out->len > 0)
            buf_add_str(out, ", ");
        if (entry->reassign_id != NULL)
            buf_printf(out, "again %s %d", entry->reassign_id, entry->reassign_epoch);
        else
            buf_printf(out, "%s %s", json_get_str(entry->event, "kind"), json_get_str(entry->event, "id"));
    }
}

static void goes_out_again_behind_what_is_told(void **unused)
{
    (void)unused;
    struct orchestrator o = {0};
    AUTO_BUF struct buf told;
    buf_init(&told, 0);
    map_init(&o.reassigning);
    struct batch *batch = batch_gathering(&o);
    apply_reassign(&o, "a", 1);
    add_event(batch, "{\"kind\":\"started\",\"id\":\"b\",\"epoch\":1}");
    apply_reassign(&o, "b", 1);
    apply_reassign(&o, "a", 1);
    add_event(batch, "{\"kind\":\"finished\",\"id\":\"a\",\"epoch\":1}");
    apply_reassign(&o, "b", 2);
    batch_prepare(batch);
    tell(batch, &told);
    assert_string_equal(buf_str(&told), "started b, finished a, again a 1, again b 1, again b 2");
    batch_free(batch);
    map_done(&o.reassigning);
}

static void leaves_out_what_an_end_makes_needless(void **unused)
{
    (void)unused;
    struct orchestrator o = {0};
    AUTO_BUF struct buf told;
    buf_init(&told, 0);
    struct batch *batch = batch_gathering(&o);
    add_event(batch, "{\"kind\":\"started\",\"id\":\"a\",\"epoch\":1}");
    add_event(batch, "{\"kind\":\"checkpoint\",\"id\":\"a\",\"epoch\":1,\"waiting\":\"{}\"}");
    add_event(batch, "{\"kind\":\"checkpoint\",\"id\":\"a\",\"epoch\":1}");
    add_event(batch, "{\"kind\":\"checkpoint\",\"id\":\"a\",\"epoch\":2}");
    add_event(batch, "{\"kind\":\"held\",\"id\":\"b\",\"epoch\":1}");
    add_event(batch, "{\"kind\":\"finished\",\"id\":\"a\",\"epoch\":1}");
    batch_prepare(batch);
    tell(batch, &told);
    assert_string_equal(buf_str(&told), "checkpoint a, checkpoint a, finished a");
    batch_free(batch);
}

/* What came first is written first, and none has more entries than one write shall have. */
static void begins_another_one_in_time(void **unused)
{
    (void)unused;
    struct orchestrator o = {0};
    for (int i = 0; i < 2 * BATCH_ENTRIES + 1; i++)
        batch_add(batch_gathering(&o))->reassign_epoch = i;
    for (int first = 0; first <= 2 * BATCH_ENTRIES; first += BATCH_ENTRIES) {
        struct batch *batch = o.gathering;
        assert_non_null(batch);
        assert_int_equal(batch->count, first < 2 * BATCH_ENTRIES ? BATCH_ENTRIES : 1);
        assert_int_equal(batch->entries[0].reassign_epoch, first);
        o.gathering = batch->next;
        batch_free(batch);
    }
    assert_null(o.gathering);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(goes_out_again_behind_what_is_told),
                                       cmocka_unit_test(leaves_out_what_an_end_makes_needless),
                                       cmocka_unit_test(begins_another_one_in_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
