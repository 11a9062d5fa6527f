/* A function of named tensors, and two kernels for a model of one cache: what a token's id does to every later token's logits can
 * be said in one line. */
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

struct tensor {
  void *data;
  int64_t *shape;
};

struct calls {
  void *context;
  void *(*allocate)(void *context, uint64_t bytes);
  void (*release)(void *context, void *memory);
  void (*fail)(void *context, const char *message, uint64_t length);
};

/* arguments: x [n], w [vocabulary]; results: y [n]: y[i] = 2 x[i] + w[2]. Of seven elements it says that it wants none of them, and
 * it takes and gives back n + 1 times as much memory as x has first. */
void twice(const struct calls *calls, const struct tensor *arguments, struct tensor *results) {
  const float *x = arguments[0].data, *w = arguments[1].data;
  int64_t n = arguments[0].shape[0];
  calls->release(calls->context, calls->allocate(calls->context, 4 * (uint64_t)n * (uint64_t)(n + 1)));
  if (n == 7)
    calls->fail(calls->context, "seven", 5);
  float *y = calls->allocate(calls->context, 4 * (uint64_t)n);
  for (int64_t i = 0; i < n; ++i)
    y[i] = 2 * x[i] + w[2];
  results[0].data = y;
  results[0].shape[0] = n;
}
