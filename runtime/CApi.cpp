// The C interface (moec.h) over the runtime's classes.
#include "runtime/Generation.h"
#include "runtime/Reports.h"

#include <algorithm>
#include <cstring>

using namespace moec::runtime;

struct moec_model {
  std::unique_ptr<Artifact> artifact;
  std::unique_ptr<Tokenizer> tokenizer; ///< null when the artifact has none
};

struct moec_session {
  const moec_model *model;
  std::unique_ptr<Session> session;
  std::vector<Piece> pieces; ///< of the step in hand; kept, so that steps need not allocate
};

namespace {
thread_local std::string lastError;

/// Greedy where there is nothing.
SamplingOptions optionsOf(const moec_sampling *sampling) {
  if (!sampling)
    return {};
  return {sampling->temperature, sampling->top_k, sampling->top_p, sampling->seed};
}

Status step(moec_session *session, Phase phase, const moec_piece *pieces, size_t count) {
  if (!session || (count && !pieces))
    return missing("a session and pieces");
  session->pieces.clear();
  for (size_t i = 0; i < count; ++i) {
    if (pieces[i].count && !pieces[i].ids)
      return missing("ids");
    int outputs; // whatever number a program in C has put there
    std::memcpy(&outputs, &pieces[i].outputs, sizeof outputs);
    if (outputs < MOEC_OUTPUTS_NONE || outputs > MOEC_OUTPUTS_SAMPLED)
      return Status::invalidArgument("unknown outputs " + std::to_string(outputs));
    Piece &piece = session->pieces.emplace_back(Piece{pieces[i].sequence, {pieces[i].ids, pieces[i].count}, Wanted(outputs)});
    bool chooses = pieces[i].sampling || piece.outputs == Wanted::sampled;
    if (!chooses || !session->session->hasSequence(piece.sequence))
      continue;
    piece.sampling =
        samplingWords(optionsOf(pieces[i].sampling), uint64_t(session->session->length(piece.sequence)) + piece.ids.size());
  }
  return session->session->step(phase, session->pieces);
}
} // namespace

moec_status moec::runtime::report(const Status &status) {
  if (!status.ok())
    lastError = status.message();
  return moec_status(int(status.code()));
}

const Artifact &moec::runtime::artifactOf(const moec_model &model) { return *model.artifact; }

const char *moec_version(void) { return MOEC_VERSION; }
const char *moec_last_error(void) { return lastError.c_str(); }

moec_status moec_model_open(const char *path, const moec_model_options *options, moec_model **model) {
  return guarded([&]() -> Status {
    if (!path || !model)
      return missing("a path and a place for the model");
    *model = nullptr;
    ArtifactOptions artifactOptions;
    if (options) {
      artifactOptions.verifyAll = options->verify_all;
      if (options->weight_folder)
        artifactOptions.weightFolder = options->weight_folder;
    }
    auto opened = std::make_unique<moec_model>();
    Result<std::unique_ptr<Artifact>> artifact = Artifact::open(path, artifactOptions);
    if (!artifact.ok())
      return artifact.status();
    opened->artifact = std::move(*artifact);
    if (auto section = opened->artifact->section("tokenizer")) {
      Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::create(*section);
      if (!tokenizer.ok())
        return tokenizer.status();
      opened->tokenizer = std::move(*tokenizer);
    }
    *model = opened.release();
    return {};
  });
}

void moec_model_close(moec_model *model) { delete model; }

moec_status moec_model_get_info(const moec_model *model, moec_model_info *info) {
  return guarded([&]() -> Status {
    if (!model || !info)
      return missing("a model and a place for its description");
    const moec::artifact::Manifest &manifest = model->artifact->manifest();
    const moec::artifact::Model &described = *manifest.model();
    *info = {int32_t(described.vocabulary()),
             int32_t(described.max_sequence()),
             int32_t(described.max_batch()),
             int32_t(described.layers()),
             int32_t(manifest.routing() ? manifest.routing()->size() : 0),
             described.bos_id(),
             model->tokenizer != nullptr,
             described.parameters()};
    return {};
  });
}

int moec_model_is_end(const moec_model *model, int32_t id) {
  return model && endsSequence(*model->artifact->manifest().model(), id);
}

moec_status moec_tokenize(const moec_model *model, const char *text, size_t bytes, int special, int32_t *ids, size_t capacity,
                          size_t *count) {
  return guarded([&]() -> Status {
    if (!model || (bytes && !text) || (capacity && !ids) || !count)
      return missing("a model, a text, room for ids and a place for their number");
    if (!model->tokenizer)
      return Status::unavailable("the artifact carries no tokenizer");
    Result<std::vector<int32_t>> encoded = model->tokenizer->encode({text, bytes}, special);
    if (!encoded.ok())
      return encoded.status();
    *count = encoded->size();
    std::copy_n(encoded->begin(), std::min(capacity, encoded->size()), ids);
    if (encoded->size() > capacity)
      return Status::resourceExhausted("expected room for " + std::to_string(encoded->size()) + " ids, got " +
                                       std::to_string(capacity));
    return {};
  });
}

moec_status moec_detokenize(const moec_model *model, const int32_t *ids, size_t count, int skipSpecial, char *text, size_t capacity,
                            size_t *bytes) {
  return guarded([&]() -> Status {
    if (!model || (count && !ids) || (capacity && !text) || !bytes)
      return missing("a model, ids, room for text and a place for its length");
    if (!model->tokenizer)
      return Status::unavailable("the artifact carries no tokenizer");
    std::string decoded = model->tokenizer->decode({ids, count}, skipSpecial);
    *bytes = decoded.size();
    std::copy_n(decoded.begin(), std::min(capacity, decoded.size()), text);
    if (decoded.size() > capacity)
      return Status::resourceExhausted("expected room for " + std::to_string(decoded.size()) + " bytes, got " +
                                       std::to_string(capacity));
    return {};
  });
}

moec_status moec_session_create(moec_model *model, const moec_session_options *options, moec_session **session) {
  return guarded([&]() -> Status {
    if (!model || !session)
      return missing("a model and a place for the session");
    *session = nullptr;
    DeviceOptions deviceOptions;
    if (options) {
      if (options->threads < 0 || options->threads > 1024)
        return Status::invalidArgument("expected 0 to 1024 threads, got " + std::to_string(options->threads));
      deviceOptions.threads = options->threads;
      if (options->isa)
        deviceOptions.isa = options->isa;
      if (options->gpu < 0)
        return Status::invalidArgument("expected the number of a GPU, from 0, got " + std::to_string(options->gpu));
      deviceOptions.gpu = options->gpu;
    }
    Result<DeviceFactory> createDevice = deviceNamed(options && options->device ? options->device : "cpu");
    if (!createDevice.ok())
      return createDevice.status();
    Result<std::unique_ptr<Session>> created = Session::create(*model->artifact, deviceOptions, *createDevice);
    if (!created.ok())
      return created.status();
    size_t maxBatch = (*created)->model().max_batch();
    *session = new moec_session{model, std::move(*created), {}};
    (*session)->pieces.reserve(maxBatch);
    return {};
  });
}

void moec_session_destroy(moec_session *session) { delete session; }

moec_status moec_sequence_add(moec_session *session, int32_t *sequence) {
  return guarded([&]() -> Status {
    if (!session || !sequence)
      return missing("a session and a place for the sequence");
    Result<int> added = session->session->addSequence();
    if (!added.ok())
      return added.status();
    *sequence = *added;
    return {};
  });
}

moec_status moec_sequence_release(moec_session *session, int32_t sequence) {
  return guarded([&]() -> Status {
    if (!session || !session->session->hasSequence(sequence))
      return Status::invalidArgument("no sequence " + std::to_string(sequence));
    session->session->releaseSequence(sequence);
    return {};
  });
}

moec_status moec_sequence_length(const moec_session *session, int32_t sequence, int64_t *length) {
  return guarded([&]() -> Status {
    if (!session || !length || !session->session->hasSequence(sequence))
      return Status::invalidArgument("no sequence " + std::to_string(sequence));
    *length = session->session->length(sequence);
    return {};
  });
}

moec_status moec_prefill(moec_session *session, const moec_piece *pieces, size_t count) {
  return guarded([&] { return step(session, Phase::prefill, pieces, count); });
}

moec_status moec_decode(moec_session *session, const moec_piece *pieces, size_t count) {
  return guarded([&] { return step(session, Phase::decode, pieces, count); });
}

moec_status moec_prefill_limits(const moec_session *session, moec_step_limits *limits) {
  return guarded([&]() -> Status {
    if (!session || !limits)
      return missing("a session and a place for the limits");
    const Session &of = *session->session;
    *limits = {of.maxTokens(Phase::prefill), of.maxOutputs(Phase::prefill), of.maxSequences(Phase::prefill)};
    return {};
  });
}

const float *moec_logits(const moec_session *session, size_t output) {
  return session && output < session->session->outputs() ? session->session->logits(output).data() : nullptr;
}

int32_t moec_sampled(const moec_session *session, size_t output) {
  return session && output < session->session->outputs() ? session->session->sampled(output) : -1;
}

const int32_t *moec_routing(const moec_session *session, size_t layer, size_t *tokens, size_t *k) {
  if (!session || layer >= session->session->routedLayers() || session->session->tokens() == 0)
    return nullptr;
  if (tokens)
    *tokens = session->session->tokens();
  if (k)
    *k = size_t(session->session->expertsPerToken(layer));
  return session->session->routedExperts(layer).data();
}

moec_status moec_generate(moec_session *session, int32_t sequence, const int32_t *ids, size_t count, int64_t tokens,
                          const moec_sampling *sampling, moec_token_callback callback, void *context) {
  return guarded([&]() -> Status {
    if (!session || !ids || !count || !callback)
      return missing("a session, at least one id and a callback");
    Session &steps = *session->session;
    Draws draws(optionsOf(sampling));
    MOEC_RETURN_IF_ERROR(steps.prefill({sequence, {ids, count}, Wanted::sampled, draws.next()}));
    std::optional<StreamDecoder> stream;
    if (session->model->tokenizer)
      stream.emplace(*session->model->tokenizer);
    return generate(
        steps, {.sequences = {&sequence, 1}, .tokens = tokens}, draws, stream ? &*stream : nullptr,
        [&](int32_t id, const std::string &text) -> Result<bool> { return callback(context, id, text.data(), text.size()) != 0; });
  });
}
