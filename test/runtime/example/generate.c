/* The smallest program that writes text with a compiled model: generate MODEL.moec PROMPT TOKENS */
#include "runtime/moec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print_token(void *context, int32_t id, const char *text, size_t bytes) {
  (void)context, (void)id;
  fwrite(text, 1, bytes, stdout);
  return 1;
}

static int failed(const char *what) {
  fprintf(stderr, "generate: cannot %s: %s\n", what, moec_last_error());
  return 2;
}

int main(int argc, char **argv) {
  moec_model *model;
  moec_session *session;
  int32_t sequence, ids[4096];
  size_t count;
  if (argc != 4) {
    fprintf(stderr, "usage: generate MODEL.moec PROMPT TOKENS\n");
    return 2;
  }
  if (moec_model_open(argv[1], NULL, &model) != MOEC_OK)
    return failed("open the model");
  if (moec_tokenize(model, argv[2], strlen(argv[2]), 1, ids, 4096, &count) != MOEC_OK)
    return failed("tokenize the prompt");
  if (moec_session_create(model, NULL, &session) != MOEC_OK || moec_sequence_add(session, &sequence) != MOEC_OK)
    return failed("start");
  if (moec_generate(session, sequence, ids, count, atol(argv[3]), NULL, print_token, NULL) != MOEC_OK)
    return failed("generate");
  printf("\n");
  moec_session_destroy(session);
  moec_model_close(model);
  return 0;
}
