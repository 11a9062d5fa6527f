// The command line of moe-run.
#ifndef MOEC_TOOLS_MOE_RUN_OPTIONS_H
#define MOEC_TOOLS_MOE_RUN_OPTIONS_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moec::run {

struct Options {
  std::string artifact, device = "cpu", isa, weights;
  int threads = 0, gpu = 0;
  bool verify = false, counters = false;

  std::string prompt, promptFile, ids, idsFile, tokenize, perplexity;
  bool chat = false;
  std::vector<std::string> inputs, outputs;

  int64_t generate = 0;
  bool ignoreEnd = false;
  double temperature = 0, topP = 1;
  int64_t topK = 0;
  uint64_t seed = 0;

  std::optional<int64_t> prefill;
  int64_t prefillChunk = 0, window = 256, batch = 1;
  std::string logits, routing;
  std::vector<std::string> expect; ///< of a language model at most one
  double absoluteTolerance = 0, relativeTolerance = 0;
  bool json = false;

  bool givesIds() const { return !ids.empty() || !idsFile.empty(); }
};

/// Parses the arguments. Returns an exit code when there is nothing left to do: after --help and --version (0) or bad arguments
/// (2).
std::optional<int> parseOptions(int argc, char **argv, Options &options);

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_OPTIONS_H
