// Sequences in progress on one device: their cached positions, and the steps that extend them.
#include "runtime/Session.h"

#include "runtime/artifact/Bounds.h"

#include <algorithm>

using namespace moec::runtime;

Result<std::unique_ptr<Session>> Session::create(const Artifact &artifact, const DeviceOptions &options,
                                                 DeviceFactory createDevice) {
  if (!artifact.hasWeights())
    return Status::invalidArgument(artifact.path() + ": opened without its weights, and cannot run");
  if (artifact.manifest().functions() && artifact.manifest().functions()->size())
    return Status::invalidArgument(artifact.path() + ": holds functions of named tensors and no language model's steps");
  std::unique_ptr<Session> session(new Session(artifact));
  MOEC_RETURN_IF_ERROR(session->findPrograms());
  if (std::ranges::count(session->sampledOutput, -1))
    session->sampler.emplace(session->model().vocabulary());

  const artifact::Model &model = session->model();
  session->maxPages = int64_t(pagesFor(model, model.max_sequence()));
  DeviceOptions withPages = options;
  withPages.pages = uint64_t(session->maxPages) * model.max_batch();
  MOEC_RETURN_IF_ERROR(take(session->runner, createDevice(artifact, withPages)));

  session->sequences.resize(model.max_batch());
  for (Sequence &sequence : session->sequences)
    sequence.pages.reserve(size_t(session->maxPages));
  for (int64_t page = int64_t(withPages.pages) - 1; page >= 0; --page)
    session->freePages.push_back(int32_t(page)); // the lowest is handed out first
  size_t tokens = 0, steps = 0;
  for (Phase phase : {Phase::prefill, Phase::decode}) {
    tokens = std::max(tokens, size_t(session->maxTokens(phase)));
    steps = std::max(steps, size_t(session->maxSequences(phase)));
  }
  for (std::vector<int32_t> *perToken : {&session->tokenIds, &session->positions, &session->tokenSequence, &session->outputTokens})
    perToken->reserve(tokens);
  session->starts.reserve(steps + 1);
  session->sampling.reserve(tokens);
  session->lastSampled.reserve(tokens);
  session->pages.reserve(steps * size_t(session->maxPages));
  return session;
}

Status Session::findPrograms() {
  const artifact::Manifest &manifest = source.manifest();
  const char *names[] = {"prefill", "decode"};
  for (size_t phase = 0; phase < 2; ++phase) {
    bool found = false;
    for (uint32_t i = 0; i < manifest.programs()->size() && !found; ++i)
      if (manifest.programs()->Get(i)->name()->string_view() == names[phase]) {
        programs[phase] = i;
        found = true;
      }
    if (!found)
      return Status::invalidData(source.path() + ": no program '" + names[phase] + "'");
    size_t routed = 0;
    bool hasLogits = false;
    const artifact::Program &program = *manifest.programs()->Get(uint32_t(programs[phase]));
    for (uint32_t i = 0; i < program.outputs()->size(); ++i) {
      const artifact::Output *output = program.outputs()->Get(i);
      if (output->name()->string_view() == "logits") {
        logitsOutput[phase] = i;
        hasLogits = true;
        continue;
      }
      if (output->name()->string_view() == "sampled") {
        sampledOutput[phase] = i;
        continue;
      }
      int64_t width = int64_t(manifest.buffers()->Get(output->buffer())->width());
      if (phase == 0)
        routing.push_back({{i, 0}, width});
      else if (routed < routing.size() && routing[routed].width == width)
        routing[routed].output[1] = i;
      else
        return Status::invalidData(source.path() + ": the programs differ in their outputs");
      ++routed;
    }
    if (!hasLogits || routed != routing.size())
      return Status::invalidData(source.path() + ": program '" + names[phase] + "' lacks outputs");
  }
  return {};
}

Result<int> Session::addSequence() {
  auto free = std::ranges::find(sequences, false, &Sequence::inUse);
  if (free == sequences.end())
    return Status::resourceExhausted("all " + std::to_string(sequences.size()) +
                                     " sequences are in use; release one, or compile with a larger --max-batch");
  free->inUse = true;
  return int(free - sequences.begin());
}

void Session::releaseSequence(int number) {
  Sequence &sequence = sequences[size_t(number)];
  freePages.insert(freePages.end(), sequence.pages.rbegin(), sequence.pages.rend());
  sequence.pages.clear();
  sequence.length = 0;
  sequence.inUse = false;
}

Status Session::check(Phase phase, std::span<const Piece> pieces) const {
  const char *name = phase == Phase::prefill ? "prefill" : "decode";
  auto limit = [&](const char *what, int64_t got, int64_t most, const char *remedy) {
    return Status::invalidArgument(std::string("a ") + name + " step takes at most " + std::to_string(most) + " " + what +
                                   ", got " + std::to_string(got) + remedy);
  };
  int64_t tokens = 0, outputs = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const Piece &piece = pieces[i];
    if (!hasSequence(piece.sequence))
      return Status::invalidArgument("no sequence " + std::to_string(piece.sequence));
    for (size_t other = 0; other < i; ++other)
      if (pieces[other].sequence == piece.sequence)
        return Status::invalidArgument("sequence " + std::to_string(piece.sequence) + " occurs twice in a step");
    if (piece.ids.empty() || (phase == Phase::decode && piece.ids.size() != 1))
      return Status::invalidArgument("expected " + std::string(phase == Phase::decode ? "one token" : "tokens") + " of sequence " +
                                     std::to_string(piece.sequence) + ", got " + std::to_string(piece.ids.size()));
    for (int32_t id : piece.ids)
      if (id < 0 || uint32_t(id) >= model().vocabulary())
        return Status::invalidArgument("expected a token id below the vocabulary of " + std::to_string(model().vocabulary()) +
                                       ", got " + std::to_string(id));
    int64_t length = sequences[size_t(piece.sequence)].length + int64_t(piece.ids.size());
    if (length > int64_t(model().max_sequence()))
      return Status::invalidArgument("a sequence of " + std::to_string(length) + " tokens exceeds the compiled maximum of " +
                                     std::to_string(model().max_sequence()) +
                                     "; compile with a larger --max-sequence if the model has more positions");
    tokens += int64_t(piece.ids.size());
    outputs += piece.outputs == Wanted::all ? int64_t(piece.ids.size()) : piece.outputs != Wanted::none;
  }
  if (pieces.empty())
    return Status::invalidArgument("expected at least one sequence in a step");
  if (int64_t(pieces.size()) > maxSequences(phase))
    return limit("sequences", int64_t(pieces.size()), maxSequences(phase), "; compile with a larger --max-batch");
  if (tokens > maxTokens(phase))
    return limit("tokens", tokens, maxTokens(phase), "; take several steps");
  if (outputs > maxOutputs(phase))
    return limit("outputs", outputs, maxOutputs(phase), "; take several steps");
  return {};
}

/// Lists what the pieces add, with pages for it.
void Session::describe(std::span<const Piece> pieces) {
  for (std::vector<int32_t> *list : {&tokenIds, &positions, &tokenSequence, &starts, &pages, &outputTokens})
    list->clear();
  sampling.clear();
  for (const Piece &piece : pieces) {
    Sequence &sequence = sequences[size_t(piece.sequence)];
    starts.push_back(int32_t(tokenIds.size()));
    for (size_t i = 0; i < piece.ids.size(); ++i) {
      bool isLast = i + 1 == piece.ids.size();
      if (piece.outputs == Wanted::all || (piece.outputs != Wanted::none && isLast)) {
        outputTokens.push_back(int32_t(tokenIds.size()));
        sampling.push_back(isLast ? piece.sampling : SamplingWords());
      }
      tokenIds.push_back(piece.ids[i]);
      positions.push_back(int32_t(sequence.length + int64_t(i)));
      tokenSequence.push_back(int32_t(starts.size() - 1));
    }
    // There are pages for max_batch sequences of max_sequence positions, so the list cannot run dry.
    while (sequence.pages.size() < pagesFor(model(), uint64_t(sequence.length) + piece.ids.size())) {
      sequence.pages.push_back(freePages.back());
      freePages.pop_back();
    }
    pages.insert(pages.end(), sequence.pages.begin(), sequence.pages.end());
    pages.resize(starts.size() * size_t(maxPages), 0);
  }
  starts.push_back(int32_t(tokenIds.size()));
}

/// Gives back the pages that `describe` took, last first, and forgets the step.
void Session::undo(std::span<const Piece> pieces) {
  for (size_t i = pieces.size(); i-- > 0;) {
    Sequence &sequence = sequences[size_t(pieces[i].sequence)];
    for (; sequence.pages.size() > pagesFor(model(), uint64_t(sequence.length)); sequence.pages.pop_back())
      freePages.push_back(sequence.pages.back());
  }
  tokenIds.clear();
  outputTokens.clear();
  lastLogits = {};
  lastSampled.clear();
}

Status Session::step(Phase phase, std::span<const Piece> pieces) {
  MOEC_RETURN_IF_ERROR(check(phase, pieces));
  describe(pieces);
  bool wantsLogits =
      std::ranges::any_of(pieces, [](const Piece &piece) { return piece.outputs == Wanted::last || piece.outputs == Wanted::all; });
  bool choosesHere = sampledOutput[size_t(phase)] < 0; // from logits, then
  StepInput input{tokenIds, positions, tokenSequence, starts, pages, outputTokens, maxPages};
  input.sampling = {reinterpret_cast<const int32_t *>(sampling.data()), sampling.size() * sizeof(SamplingWords) / sizeof(int32_t)};
  input.unread = wantsLogits || choosesHere ? -1 : int64_t(logitsOutput[size_t(phase)]);
  Status ran = runner->run(programs[size_t(phase)], input);
  if (!ran.ok()) {
    undo(pieces);
    return ran;
  }
  for (const Piece &piece : pieces)
    sequences[size_t(piece.sequence)].length += int64_t(piece.ids.size());
  lastPhase = phase;
  readResults(wantsLogits);
  return {};
}

template <typename T> static std::span<const T> elementsOf(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T *>(bytes.data()), bytes.size() / sizeof(T)};
}

void Session::readResults(bool wantsLogits) {
  size_t program = programs[size_t(lastPhase)];
  int64_t chosen = sampledOutput[size_t(lastPhase)];
  lastLogits = {};
  lastSampled.clear();
  if (wantsLogits || chosen < 0)
    lastLogits = elementsOf<float>(runner->output(program, logitsOutput[size_t(lastPhase)]));
  if (chosen >= 0) {
    std::span<const int32_t> tokens = elementsOf<int32_t>(runner->output(program, size_t(chosen)));
    lastSampled.assign(tokens.begin(), tokens.end());
  } else {
    for (size_t output = 0; output < sampling.size(); ++output)
      lastSampled.push_back(sampler->choose(logits(output), sampling[output]));
  }
  if (!wantsLogits)
    lastLogits = {};
}

Status Session::prefill(const Piece &all, int64_t chunk, void (*perStep)(void *), void *context) {
  int64_t most = maxTokens(Phase::prefill);
  if (all.outputs == Wanted::all)
    most = std::min(most, maxOutputs(Phase::prefill));
  if (chunk > 0)
    most = std::min(most, chunk);
  size_t done = 0;
  do { // none at all is refused by the step
    size_t count = std::min(size_t(most), all.ids.size() - done);
    Piece piece{all.sequence, all.ids.subspan(done, count), all.outputs};
    if (done + count == all.ids.size())
      piece.sampling = all.sampling;
    else if (all.outputs != Wanted::all)
      piece.outputs = Wanted::none;
    MOEC_RETURN_IF_ERROR(step(Phase::prefill, {&piece, 1}));
    if (perStep)
      perStep(context);
    done += count;
  } while (done < all.ids.size());
  return {};
}

std::span<const float> Session::logits(size_t output) const {
  size_t vocabulary = model().vocabulary();
  if (lastLogits.empty())
    return {};
  return lastLogits.subspan(output * vocabulary, vocabulary);
}

std::span<const int32_t> Session::routedExperts(size_t layer) const {
  return elementsOf<int32_t>(runner->output(programs[size_t(lastPhase)], routing[layer].output[size_t(lastPhase)]));
}
