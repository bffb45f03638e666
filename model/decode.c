/* One decode step of the whole decoder for one to sixteen rows, at the speed of memory.
 *
 * Every thread walks through the layers. A phase's work is cut in items that threads claim, and it is over when its
 * items are done, wherever the threads are: one that the machine has put aside holds nobody up, and finds nothing left
 * to claim. Small things (norms, the choice of experts) every thread does for itself before it claims; from inputs that
 * only later phases change, so that whoever gets an item has them right.
 * Shapes: D width, H heads, R latent rank, W = R + rope the width of a cached token, all row after row.
 */
#include "decode_attention.h"
#include "decode_experts.h"

static void predict(const Run *s, Own *own, int64_t phase) {
    const Matrix *head = &s->m->head;
    const int64_t chunk = chunk_of(s, head->rows, head->row_bytes);
    const int rows = (int)s->c->rows;
    const Vec *x[MAX_ROWS];
    float *y[MAX_ROWS];
    norm_rows(s, own, s->m->final_norm, head, NULL);
    point(x, own->x, rows);
    EACH_ITEM(item, ceiling(head->rows, chunk)) {
        const int64_t first = item * chunk;
        for (int b = 0; b < rows; b++) y[b] = s->c->logits + b * head->rows + first;
        multiply_rows(head, first, least(chunk, head->rows - first), x, rows, &own->packed, NULL, y);
    }
}

static void walk(void *data) {
    const Run *s = data;
    Own *own = &s->own[omp_get_thread_num()];
    int64_t phase = 0;
#if HAS_TILES
    if (s->m->tiles) begin_tiles();
#endif
#define PHASE(WORK)                                                                                                    \
    if (!is_over(s, phase)) WORK;                                                                                      \
    wait_for(s, phase++)
    for (int64_t index = 0; index < s->m->layers; index++) {
        const Layer *l = &s->m->layer[index];
        own->has_normed = 0;
        PHASE(project_inputs(s, own, l, phase));
        PHASE(enter_latent_space(s, l, index, phase));
        PHASE(attend_all(s, own, index, phase));
        PHASE(leave_latent_space(s, own, l, phase));
        PHASE(project_attended(s, own, l, phase));
        PHASE(first_products(s, own, l, phase));
        PHASE(second_products(s, own, l, phase));
        if (l->router.data) {
            PHASE(third_products(s, own, l, phase));
        }
    }
    if (!is_over(s, phase)) predict(s, own, phase);
#if HAS_TILES
    if (s->m->tiles) _tile_release();
#endif
}

/* ---- what Python calls ---- */

int64_t struct_bytes(int64_t which) {
    return which == 0 ? sizeof(Matrix) : which == 1 ? sizeof(Layer) : which == 2 ? sizeof(Model) : sizeof(Call);
}

/* Nonzero if the processor has matrix tiles that this code uses and the process may. */
int64_t request_tiles(void) {
#if HAS_TILES
    return ask_for_tiles();
#else
    return 0;
#endif
}

int64_t scratch_bytes(const Model *m, int64_t threads) {
    Run s;
    return lay_out(&s, m, threads, NULL);
}

void decode_step(const Model *m, const Call *c) {
    Run s = {.m = m, .c = c};
    lay_out(&s, m, c->threads, c->scratch);
    memset(s.phases, 0, (m->layers * 8 + 2) * sizeof(Phase));
    for (int64_t b = 0; b < c->rows; b++) {
        for (int64_t i = 0; i < m->width; i++) {
            const int64_t place = b * m->width + i;
            s.x[b * padded(m->width) + i] =
                c->x_kind == FP32 ? ((const float *)c->x)[place] : from_bf16(((const uint16_t *)c->x)[place]);
        }
    }
    GOMP_parallel(walk, &s, (unsigned)c->threads, 0);
}
