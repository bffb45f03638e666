/* Beside the step: quantised weights back to floats, and how fast memory can be read. */
#include "decode_keys.h"

/* From the OpenMP library that torch has loaded: one pool of threads for both. */
extern void GOMP_parallel(void (*work)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);

typedef struct {
    const Matrix *m;
    void *out;
    int64_t out_kind, claimed;
} Widening;

static void widen(void *data) {
    Widening *w = data;
    const Matrix *m = w->m;
    for (int64_t row; (row = __atomic_fetch_add(&w->claimed, 16, __ATOMIC_RELAXED)) < m->rows;) {
        for (int64_t n = row; n < least(row + 16, m->rows); n++) {
            const int64_t groups = m->row_bytes / (GROUP / 2);
            for (int64_t start = 0; start < m->cols; start += GROUP) {
                float values[GROUP];
                const int64_t count = least(GROUP, m->cols - start);
                if (m->kind == INT8) {
                    const float scale = ((const float *)m->scales)[n];
                    const int8_t *codes = (const int8_t *)m->data + n * m->cols + start;
                    for (int64_t i = 0; i < count; i++) values[i] = (float)codes[i] * scale;
                } else {
                    const float scale = from_half(((const uint16_t *)m->scales)[n * groups + start / GROUP]);
                    const uint8_t *codes = (const uint8_t *)m->data + n * m->row_bytes + start / 2;
                    for (int i = 0; i < GROUP / 2; i++) {
                        values[i] = (float)((codes[i] & 15) - 8) * scale;
                        values[GROUP / 2 + i] = (float)((codes[i] >> 4) - 8) * scale;
                    }
                }
                const int64_t place = n * m->cols + start;
                if (w->out_kind == FP32) {
                    memcpy((float *)w->out + place, values, count * sizeof(float));
                    continue;
                }
                for (int64_t i = 0; i < count; i++) ((uint16_t *)w->out)[place + i] = to_bf16(values[i]);
            }
        }
    }
}

void dequantize(const Matrix *m, void *out, int64_t out_kind, int64_t threads) {
    Widening w = {m, out, out_kind, 0};
    GOMP_parallel(widen, &w, (unsigned)threads, 0);
}

typedef struct {
    const char *data;
    int64_t bytes, claimed, seen;
} Reading;

static void read_through(void *data) {
    Reading *r = data;
    int64_t seen = 0, chunk = 1 << 18;
    for (int64_t start; (start = __atomic_fetch_add(&r->claimed, chunk, __ATOMIC_RELAXED)) < r->bytes;) {
        const float *place = (const float *)(r->data + start);
        vf acc[8] = {{0}};
        for (int64_t i = 0; i + 8 * LANES <= least(chunk, r->bytes - start) / 4; i += 8 * LANES) {
            UNROLL for (int j = 0; j < 8; j++) acc[j] += load(place + i + j * LANES);
        }
        for (int j = 0; j < 8; j++) seen += sum(acc[j]) != 0;
    }
    __atomic_fetch_add(&r->seen, seen, __ATOMIC_RELAXED);
}

int64_t stream_read(const char *data, int64_t bytes, int64_t threads) {
    Reading r = {data, bytes, 0, 0};
    GOMP_parallel(read_through, &r, (unsigned)threads, 0);
    return r.seen;
}
