/* Two kernels for a model of one cache: what a token's id does to every later token's logits can be said in one line. */
#include <stdint.h>

struct numbers {
  int64_t tokens, outputs, sequences, max_pages;
};

enum { page_size = 4, vocabulary = 8 };

#ifndef SHIFT
#define SHIFT 0 /* added to every logit, so that two builds of this file can be told apart */
#endif

/* buffers: token_ids, positions, token_sequence, pages, cache [.., 1], routing [tokens, 1] */
void append(void *const *buffers, const struct numbers *numbers, void *scratch, int64_t begin, int64_t end) {
  const int32_t *ids = buffers[0], *positions = buffers[1], *sequences = buffers[2], *pages = buffers[3];
  float *cache = buffers[4];
  int32_t *routing = buffers[5];
  (void)scratch;
  for (int64_t token = begin; token < end; ++token) {
    int32_t page = pages[sequences[token] * numbers->max_pages + positions[token] / page_size];
    cache[page * page_size + positions[token] % page_size] = (float)ids[token];
    routing[token] = ids[token] % 3;
  }
}

/* buffers: positions, token_sequence, pages, output_tokens, cache, constant [vocabulary], weight [vocabulary], logits [outputs,
 * vocabulary] logits[o][v] = constant[v] + weight[v] x sum over positions p up to the token's own of (p + 1) x id at p */
void attend(void *const *buffers, const struct numbers *numbers, void *scratch, int64_t begin, int64_t end) {
  const int32_t *positions = buffers[0], *sequences = buffers[1], *pages = buffers[2], *outputs = buffers[3];
  const float *cache = buffers[4], *constant = buffers[5], *weight = ((const float *const *)buffers[6])[0];
  float *logits = buffers[7], *sum = scratch;
  for (int64_t output = begin; output < end; ++output) {
    int32_t token = outputs[output];
    *sum = 0;
    for (int32_t position = 0; position <= positions[token]; ++position) {
      int32_t page = pages[sequences[token] * numbers->max_pages + position / page_size];
      *sum += (float)(position + 1) * cache[page * page_size + position % page_size];
    }
    for (int v = 0; v < vocabulary; ++v)
      logits[output * vocabulary + v] = constant[v] + weight[v] * *sum + SHIFT;
  }
}
