// What is written or compared of the given positions, as they come.
#ifndef MOEC_TOOLS_MOE_RUN_RECORDS_H
#define MOEC_TOOLS_MOE_RUN_RECORDS_H

#include "runtime/npy/Npy.h"
#include "tools/moe-run/Expectation.h"
#include "tools/moe-run/Feed.h"
#include "tools/moe-run/Options.h"

#include <optional>

namespace moec::run {

class Records {
public:
  /// Opens the files that the options name, for `positions` given ids behind which tokens are chosen as `sampling` says.
  runtime::Status open(const Options &options, const runtime::Session &session, int64_t positions,
                       const runtime::SamplingWords &sampling);
  /// Takes the results of the feed's last step.
  runtime::Status take(const Feed &feed, const runtime::Session &session);
  runtime::Status finish();

  /// Whether logits of every position are wanted.
  bool wantLogits() const { return logits || expectation; }
  /// What is compared, if anything is; and where the device chose another token than its logits say, a sentence about the first.
  const std::optional<Expectation> &expected() const { return expectation; }
  const std::string &otherChoice() const { return choice; }

private:
  void checkChoice(const Feed &feed, const runtime::Session &session);

  std::optional<runtime::NpyWriter> logits, routing;
  std::optional<Expectation> expectation;
  std::optional<runtime::Sampler> sampler; ///< beside an expectation, for what is chosen
  runtime::SamplingWords sampling = {};
  std::string choice;
};

} // namespace moec::run

#endif // MOEC_TOOLS_MOE_RUN_RECORDS_H
