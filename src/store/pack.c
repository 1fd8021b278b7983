/* Documents as the store keeps them: zstd frames with their size. */
#include "store/store.h"

#include "base/mem.h"
#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>

#define LEVEL 1

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void free_context(void *context)
{
    ZSTD_freeCCtx(context);
}

static void make_key(void)
{
    if (pthread_key_create(&key, free_context) != 0)
        abort();
}

/* One for each thread: making one costs more than a small document. */
static ZSTD_CCtx *context(void)
{
    pthread_once(&once, make_key);
    ZSTD_CCtx *found = pthread_getspecific(key);
    if (found == NULL && ((found = ZSTD_createCCtx()) == NULL || pthread_setspecific(key, found) != 0))
        abort();
    return found;
}

void store_pack(const char *text, size_t size, struct buf *out)
{
    size_t bound = ZSTD_compressBound(size);
    AUTO_FREE char *frame = mem_resize(NULL, bound);
    size_t bytes = ZSTD_compressCCtx(context(), frame, bound, text, size, LEVEL);
    if (ZSTD_isError(bytes))
        abort(); /* the room suffices, so only memory can be short */
    buf_add(out, frame, bytes);
}
