// Sequences in progress on one device: their cached positions, and the steps that extend them.
#ifndef MOEC_RUNTIME_SESSION_H
#define MOEC_RUNTIME_SESSION_H

#include "runtime/devices/Device.h"
#include "runtime/sampling/Sampler.h"

#include <memory>
#include <optional>
#include <vector>

namespace moec::runtime {

/// Which of a piece's tokens get logits; or only the token that is chosen behind the last of them.
enum class Wanted { none, last, all, sampled };

/// New tokens of one sequence.
struct Piece {
  int sequence = 0;
  std::span<const int32_t> ids;
  Wanted outputs = Wanted::last;
  SamplingWords sampling = {}; ///< how the token behind the last is to be chosen, if it is
};

enum class Phase { prefill, decode };

class Session {
public:
  /// Plans and reserves all memory. `artifact` must outlive the session.
  static Result<std::unique_ptr<Session>> create(const Artifact &artifact, const DeviceOptions &options,
                                                 DeviceFactory createDevice = createCpuDevice);

  /// An empty sequence, by a number below the artifact's max_batch; refused when all are in use.
  Result<int> addSequence();
  void releaseSequence(int sequence);
  bool hasSequence(int sequence) const {
    return sequence >= 0 && size_t(sequence) < sequences.size() && sequences[size_t(sequence)].inUse;
  }
  /// Cached positions of a sequence.
  int64_t length(int sequence) const { return sequences[size_t(sequence)].length; }

  /// What one step of a phase takes at most.
  int64_t maxTokens(Phase phase) const { return program(phase).max_tokens(); }
  int64_t maxOutputs(Phase phase) const { return program(phase).max_outputs(); }
  int64_t maxSequences(Phase phase) const { return program(phase).max_sequences(); }

  /// Runs one step over pieces of distinct sequences, in order. Refused, without effect, when an id is outside the vocabulary, a
  /// sequence would outgrow max_sequence, or the step's limits are exceeded. Decode takes one token of each sequence. When the
  /// device fails, every sequence is as it was, and there are no results to read. Allocates nothing.
  Status step(Phase phase, std::span<const Piece> pieces);

  /// Extends a sequence by a piece of any length, in steps of at most `chunk` tokens (0: as many as fit). `perStep` (may be null)
  /// is called after every step, when its results can be read. The steps before one that fails stay done.
  Status prefill(const Piece &piece, int64_t chunk = 0, void (*perStep)(void *) = nullptr, void *context = nullptr);

  /// Results of the last step: rows of `vocabulary` f32, one per output, in order of tokens; none when every piece wanted only its
  /// sampled token.
  std::span<const float> logits() const { return lastLogits; }
  std::span<const float> logits(size_t output) const;
  /// The token that was chosen for an output; -1 where none was asked for.
  int32_t sampled(size_t output) const { return lastSampled[output]; }
  size_t outputs() const { return outputTokens.size(); }
  size_t tokens() const { return tokenIds.size(); }

  /// Layers whose routing can be read, and [tokens, k] expert ids of the i-th.
  size_t routedLayers() const { return routing.size(); }
  std::span<const int32_t> routedExperts(size_t layer) const;
  int64_t expertsPerToken(size_t layer) const { return routing[layer].width; }

  const artifact::Model &model() const { return *source.manifest().model(); }
  const Device &device() const { return *runner; }
  std::string description() const { return runner->description(); }

private:
  struct Sequence {
    bool inUse = false;
    int64_t length = 0;
    std::vector<int32_t> pages; ///< for `length` positions, and those of a step under way; capacity for max_sequence
  };
  struct Routing {
    size_t output[2]; ///< in each phase's program
    int64_t width;
  };

  explicit Session(const Artifact &artifact) : source(artifact) {}
  Status findPrograms();
  void readResults(bool wantsLogits);
  const artifact::Program &program(Phase phase) const {
    return *source.manifest().programs()->Get(uint32_t(programs[size_t(phase)]));
  }
  Status check(Phase phase, std::span<const Piece> pieces) const;
  void describe(std::span<const Piece> pieces);
  void undo(std::span<const Piece> pieces);

  const Artifact &source;
  std::unique_ptr<Device> runner;
  size_t programs[2] = {};             ///< by phase
  size_t logitsOutput[2] = {};         ///< by phase
  int64_t sampledOutput[2] = {-1, -1}; ///< by phase; -1 where the program chooses no tokens
  std::vector<Routing> routing;
  Phase lastPhase = Phase::prefill;
  std::span<const float> lastLogits;

  int64_t maxPages = 0;
  std::vector<Sequence> sequences;
  std::vector<int32_t> freePages;

  // The step's input, with capacity for the largest step.
  std::vector<int32_t> tokenIds, positions, tokenSequence, starts, pages, outputTokens;
  std::vector<SamplingWords> sampling;
  std::vector<int32_t> lastSampled;
  std::optional<Sampler> sampler; ///< where a program chooses no tokens
};

} // namespace moec::runtime

#endif // MOEC_RUNTIME_SESSION_H
