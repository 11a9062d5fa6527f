// Residual streams side by side, as parts of a layer read them.
#include "importers/decoder/Build.h"

using namespace mlir;
using namespace moec;
using namespace moec::importers;

StreamRead moec::importers::readStreams(Scope scope, const Streams &config, StringRef part, Value streams, double epsilon,
                                        bool writes) {
  int64_t count = config.count, all = moe::widthOf(streams.getType()), columns = writes ? count * (count + 2) : count;
  std::string name = ("hc_" + part).str(), place = (part + "_streams").str();
  Value normed = scope.plainNorm(place + ".norm", streams, all, epsilon), none;
  Value logits = scope.create<moe::LinearOp>(place + ".fn", scope.rows(columns), normed, scope.weight(name + "_fn", {columns, all}),
                                             none, none);
  Value weights = scope.create<moe::StreamWeightsOp>(place + ".weights", logits.getType(), logits,
                                                     scope.weight(name + "_scale", {writes ? 3 : 1}),
                                                     scope.weight(name + "_base", {columns}), static_cast<uint64_t>(count),
                                                     static_cast<uint64_t>(config.iterations), llvm::APFloat(config.epsilon));
  Value input = scope.create<moe::MergeStreamsOp>(place + ".merge", scope.rows(all / count), streams, weights);
  return {input, weights};
}
