/* Dot products of 4-bit weights through products of bytes (AVX-512 VNNI): activations, 16-bit fixed point, are split in
 * a signed high and low byte, and a vector holds two groups of codes.
 */
#pragma once

#if HAS_BYTES
/* Bytes ahead that codes are asked for, into the near and the far cache: rows follow each other in memory. */
#define NEAR_CODES 1024
#define FAR_CODES 6144

/* q to bytes, for two groups: high, then low bytes of what low nibbles multiply, then of what high nibbles multiply;
 * `zero`: what sums begin from, for codes count from eight. */
static void split_groups(Vec *x, int64_t groups) {
    const __m512i none = _mm512_setzero_si512(), eight = _mm512_set1_epi8(8), half = _mm512_set1_epi16(128);
    for (int64_t g = 0; g < groups; g += 2) {
        int8_t *out = x->bytes + g / 2 * 256;
        __m512i sum = none;
        for (int i = 0; i < 2; i++, out += 128) {
            const int16_t *q = x->q + g * GROUP + i * 32;
            const __m512i a = _mm512_loadu_si512(q), b = g + 1 < groups ? _mm512_loadu_si512(q + GROUP) : none;
            const __m256i first_high = _mm512_cvtepi16_epi8(_mm512_srai_epi16(_mm512_add_epi16(a, half), 8));
            const __m256i second_high = _mm512_cvtepi16_epi8(_mm512_srai_epi16(_mm512_add_epi16(b, half), 8));
            const __m256i first_low = _mm512_cvtepi16_epi8(a), second_low = _mm512_cvtepi16_epi8(b);
            const __m512i high = _mm512_inserti64x4(_mm512_castsi256_si512(first_high), second_high, 1);
            const __m512i low = _mm512_inserti64x4(_mm512_castsi256_si512(first_low), second_low, 1);
            _mm512_storeu_si512(out, high);
            _mm512_storeu_si512(out + 64, low);
            const __m512i highs = _mm512_slli_epi32(_mm512_dpbusd_epi32(none, eight, high), 8);
            sum = _mm512_add_epi32(sum, _mm512_dpbusd_epi32(highs, eight, low));
        }
        _mm512_storeu_si512(x->zero + g / 2 * 16, _mm512_sub_epi32(none, sum));
    }
}

INLINE __m512 add_pair(__m512 total, __m512i first, __m512i second, const Vec *x, int64_t pair, __m512 scale) {
    const int8_t *bytes = x->bytes + pair * 256;
    __m512i low = _mm512_dpbusd_epi32(_mm512_loadu_si512(x->zero + pair * 16), first, _mm512_loadu_si512(bytes + 64));
    __m512i high = _mm512_dpbusd_epi32(_mm512_setzero_si512(), first, _mm512_loadu_si512(bytes));
    low = _mm512_dpbusd_epi32(low, second, _mm512_loadu_si512(bytes + 192));
    high = _mm512_dpbusd_epi32(high, second, _mm512_loadu_si512(bytes + 128));
    low = _mm512_add_epi32(low, _mm512_slli_epi32(high, 8));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(low), scale, total);
}

INLINE void dot_int4(const Matrix *m, int64_t row, const Vec *const *x, float *out, const int R, const int B) {
    const int64_t groups = m->row_bytes / (GROUP / 2);
    const __m512i nibble = _mm512_set1_epi8(15), two = _mm512_set1_epi32(2);
    const __m512i begin = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    for (int r = 0; r < R; r++) { /* one after the other: the longest runs of memory */
        const uint8_t *w = (const uint8_t *)m->data + (row + r) * m->row_bytes;
        const uint16_t *halves = (const uint16_t *)m->scales + (row + r) * groups;
        __m512 total[4];
        UNROLL for (int b = 0; b < B; b++) total[b] = _mm512_setzero_ps();
        for (int64_t start = 0; start < groups; start += 16) {
            const int64_t count = groups - start < 16 ? groups - start : 16;
            const __mmask16 some = (__mmask16)((1u << count) - 1);
            const __m512 scales = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(some, halves + start));
            __m512i at = begin;
            for (int64_t g = 0; g < count; g += 2) {
                const uint8_t *codes = w + (start + g) * (GROUP / 2);
                if (PREFETCH) {
                    __builtin_prefetch(codes + NEAR_CODES);
                    __builtin_prefetch(codes + FAR_CODES, 0, 1);
                }
                const __mmask16 there = g + 1 < count ? 0xffff : 0x00ff; /* the last may be alone */
                const __m512i both = _mm512_maskz_loadu_epi32(there, codes);
                const __m512i first = _mm512_and_si512(both, nibble);
                const __m512i second = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
                const __m512 scale = _mm512_permutexvar_ps(at, scales);
                at = _mm512_add_epi32(at, two);
                UNROLL for (int b = 0; b < B; b++) {
                    total[b] = add_pair(total[b], first, second, x[b], (start + g) / 2, scale);
                }
            }
        }
        UNROLL for (int b = 0; b < B; b++) out[r * MAX_ROWS + b] = sum((vf)total[b]) * x[b]->scale;
    }
}
#endif
