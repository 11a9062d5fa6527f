/* The C interface of the moec runtime: load a compiled model, feed it tokens, read logits, generate text; or run it on tensors.
 *
 * Every function that can fail returns a moec_status; moec_last_error() then says what was wrong, in one sentence, for the calling
 * thread. Nothing aborts and nothing throws. Strings are UTF-8. A model and a session are used by one thread at a time; different
 * sessions of one model may be used by different threads. An artifact holds machine code: opening one from a stranger is running a
 * stranger's program. */
#ifndef MOEC_RUNTIME_MOEC_H
#define MOEC_RUNTIME_MOEC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MOEC_API __attribute__((visibility("default")))
#else
#define MOEC_API
#endif

typedef enum moec_status {
  MOEC_OK = 0,
  MOEC_INVALID_ARGUMENT = 1,   /* the caller asked for something that cannot be */
  MOEC_INVALID_DATA = 2,       /* a file is damaged, malformed or of another version */
  MOEC_UNAVAILABLE = 3,        /* this machine cannot do it */
  MOEC_RESOURCE_EXHAUSTED = 4, /* no memory, no free sequence, a compiled limit is reached */
  MOEC_IO_ERROR = 5            /* the operating system refused */
} moec_status;

typedef struct moec_model moec_model;
typedef struct moec_session moec_session;

/* The version of this library, "MAJOR.MINOR.PATCH". */
MOEC_API const char *moec_version(void);
/* What the last failed call of this thread was about; valid until its next call. Never null. */
MOEC_API const char *moec_last_error(void);

/* ---- models -------------------------------------------------------------------------------------------------------------- */

typedef struct moec_model_options {
  int verify_all;            /* check the hash of every section, however large; otherwise of those up to 256 MiB */
  const char *weight_folder; /* where external weight files are; null: beside the artifact, or where they were when compiled */
} moec_model_options;

/* Maps and verifies an artifact. `options` may be null. The caller closes the model, after its sessions. */
MOEC_API moec_status moec_model_open(const char *path, const moec_model_options *options, moec_model **model);
MOEC_API void moec_model_close(moec_model *model);

typedef struct moec_model_info {
  int32_t vocabulary;
  int32_t max_sequence; /* positions of one sequence */
  int32_t max_batch;    /* sequences of one session */
  int32_t layers;
  int32_t routed_layers; /* layers whose experts can be read */
  int32_t bos_id;        /* -1 when there is none */
  int has_tokenizer;
  uint64_t parameters;
} moec_model_info;
MOEC_API moec_status moec_model_get_info(const moec_model *model, moec_model_info *info);

/* Whether `id` ends a sequence. */
MOEC_API int moec_model_is_end(const moec_model *model, int32_t id);

/* Ids of a text of `bytes` bytes; with `special`, what the tokenizer puts around a text is added. Writes at most `capacity` ids and
 * always the number that there are to `*count`; MOEC_RESOURCE_EXHAUSTED when they do not fit. */
MOEC_API moec_status moec_tokenize(const moec_model *model, const char *text, size_t bytes, int special, int32_t *ids,
                                   size_t capacity, size_t *count);
/* The text of ids, special tokens left out when `skip_special`; broken UTF-8 becomes U+FFFD. Writes at most `capacity` bytes (no
 * final zero) and always the number that there are to `*bytes`. */
MOEC_API moec_status moec_detokenize(const moec_model *model, const int32_t *ids, size_t count, int skip_special, char *text,
                                     size_t capacity, size_t *bytes);

/* ---- sessions ------------------------------------------------------------------------------------------------------------ */

typedef struct moec_session_options {
  int threads;        /* 0: one for each processor */
  const char *isa;    /* code variant or GPU target; null: the best that runs here */
  const char *device; /* "cpu", "cuda" or "emulator"; null: "cpu" */
  int gpu;            /* which of several, from 0 */
} moec_session_options;

/* Reserves all memory that steps need and loads the code. `options` may be null. */
MOEC_API moec_status moec_session_create(moec_model *model, const moec_session_options *options, moec_session **session);
MOEC_API void moec_session_destroy(moec_session *session);

/* A new, empty sequence; at most max_batch at a time. */
MOEC_API moec_status moec_sequence_add(moec_session *session, int32_t *sequence);
MOEC_API moec_status moec_sequence_release(moec_session *session, int32_t sequence);
/* Positions in the sequence's cache. */
MOEC_API moec_status moec_sequence_length(const moec_session *session, int32_t sequence, int64_t *length);

typedef enum moec_outputs {
  MOEC_OUTPUTS_NONE = 0,
  MOEC_OUTPUTS_LAST = 1,
  MOEC_OUTPUTS_ALL = 2,
  MOEC_OUTPUTS_SAMPLED = 3 /* of the last, only the token that is chosen: a GPU keeps its logits */
} moec_outputs;

typedef struct moec_sampling {
  double temperature; /* 0: greedy */
  int64_t top_k;      /* 0: all */
  double top_p;       /* 1: all */
  uint64_t seed;
} moec_sampling;

/* New tokens of one sequence. */
typedef struct moec_piece {
  int32_t sequence;
  const int32_t *ids;
  size_t count;
  moec_outputs outputs; /* what is wanted of them */
  /* How the token behind the last is to be chosen, if that has an output; null: it is not, or it is the likeliest
   * where only that token is wanted. Draws differ by position in the
   * sequence, and are the same on every machine. */
  const moec_sampling *sampling;
} moec_piece;

/* Extends distinct sequences by any number of tokens each, together, in one step. The limits of a step are in moec_step_limits. */
MOEC_API moec_status moec_prefill(moec_session *session, const moec_piece *pieces, size_t count);
/* Extends distinct sequences by one token each. */
MOEC_API moec_status moec_decode(moec_session *session, const moec_piece *pieces, size_t count);

typedef struct moec_step_limits {
  int64_t tokens, outputs, sequences;
} moec_step_limits;
MOEC_API moec_status moec_prefill_limits(const moec_session *session, moec_step_limits *limits);

/* The logits of the last step's i-th output, in order of pieces and tokens: `vocabulary` f32. Owned by the session and valid until
 * its next step; null when there is no such output, and when every piece asked for sampled tokens only. */
MOEC_API const float *moec_logits(const moec_session *session, size_t output);
/* The token that was chosen for that output; -1 when none was asked for. */
MOEC_API int32_t moec_sampled(const moec_session *session, size_t output);
/* The experts that the last step's tokens chose in the i-th routed layer: [tokens, *k] ids. Valid until the next step. */
MOEC_API const int32_t *moec_routing(const moec_session *session, size_t layer, size_t *tokens, size_t *k);

/* ---- generation ---------------------------------------------------------------------------------------------------------- */

/* Called for each token: its id and the text that it completes (`bytes` may be 0). Return 0 to stop. */
typedef int (*moec_token_callback)(void *context, int32_t id, const char *text, size_t bytes);

/* Feeds `ids` to a sequence (any number, in as many steps as needed), then generates at most `tokens` tokens or up to one that ends
 * the sequence. `sampling` may be null: greedy. Draws differ from token to token, and are the same in every call. */
MOEC_API moec_status moec_generate(moec_session *session, int32_t sequence, const int32_t *ids, size_t count, int64_t tokens,
                                   const moec_sampling *sampling, moec_token_callback callback, void *context);

/* ---- functions of named tensors ------------------------------------------------------------------------------------------ */

/* A model that is no language model is a function: tensors in, tensors out, nothing kept between runs. It has no sessions. */
typedef struct moec_function moec_function;

typedef enum moec_element {
  MOEC_F32 = 0,
  MOEC_F16 = 1,
  MOEC_BF16 = 2,
  MOEC_I32 = 3,
  MOEC_U8 = 4,
  MOEC_I64 = 5,
  MOEC_F64 = 6,
  MOEC_BOOL = 7, /* a byte, 0 or 1 */
  MOEC_I8 = 8,
  MOEC_I16 = 9,
  MOEC_U16 = 10,
  MOEC_U32 = 11,
  MOEC_U64 = 12
} moec_element;

/* A tensor: `rank` dimensions, row-major and contiguous. Where it says what a function takes or gives, a dimension of -1 may be
 * any, `data` is null and `bytes` is 0. */
typedef struct moec_tensor {
  const char *name; /* not read by moec_function_run */
  moec_element element;
  size_t rank;
  const int64_t *shape;
  const void *data;
  size_t bytes;
} moec_tensor;

/* Loads the function of a model; of `options`, which may be null, it takes `isa`. The caller destroys it before the model. */
MOEC_API moec_status moec_function_create(moec_model *model, const moec_session_options *options, moec_function **function);
MOEC_API void moec_function_destroy(moec_function *function);

/* How many tensors go in and come out; what each is. Valid as long as the function. */
MOEC_API size_t moec_function_inputs(const moec_function *function);
MOEC_API size_t moec_function_outputs(const moec_function *function);
MOEC_API moec_status moec_function_input(const moec_function *function, size_t index, moec_tensor *tensor);
MOEC_API moec_status moec_function_output(const moec_function *function, size_t index, moec_tensor *tensor);

/* Runs on one tensor for each input, in order. */
MOEC_API moec_status moec_function_run(moec_function *function, const moec_tensor *inputs, size_t count);
/* An output of the last run that succeeded. Owned by the function and valid until its next run. */
MOEC_API moec_status moec_function_result(const moec_function *function, size_t index, moec_tensor *tensor);

#ifdef __cplusplus
}
#endif

#endif /* MOEC_RUNTIME_MOEC_H */
