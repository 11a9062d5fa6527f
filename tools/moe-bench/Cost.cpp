// What steps cost: FLOP and bytes, from what the compiler counted for single rows and which experts were chosen.
#include "tools/moe-bench/Cost.h"

#include <algorithm>
#include <set>

using namespace moec;
using namespace moec::bench;
using namespace moec::artifact;

namespace {
template <typename Body> void forEachLaunch(const Manifest &manifest, std::string_view phase, Body body) {
  for (const Program *program : *manifest.programs())
    if (program->name()->string_view() == phase)
      for (const Launch *launch : *program->launches())
        body(*launch);
}

/// What a launch is given.
struct Given {
  double weightBytes = 0;
  bool readsIds = false, isPerOutput = false;
  std::set<uint32_t> orders; ///< buffers that say which tokens chose which expert, among others

  Given(const Manifest &manifest, const Launch &launch) {
    for (uint32_t index : *launch.buffers()) {
      const Buffer &buffer = *manifest.buffers()->Get(index);
      readsIds |= buffer.kind() == BufferKind::token_ids;
      isPerOutput |= buffer.kind() == BufferKind::arena && buffer.extent() == Extent::outputs;
      if (buffer.kind() == BufferKind::arena && buffer.element() == ElementType::i32)
        orders.insert(index);
      if (buffer.kind() == BufferKind::weight)
        for (const WeightRun *run : *manifest.weights()->Get(buffer.index())->runs())
          weightBytes += double(run->bytes()) * double(run->times());
    }
  }

  bool sharesOrders(const std::set<uint32_t> &others) const {
    return std::ranges::any_of(orders, [&](uint32_t order) { return others.contains(order); });
  }
};
} // namespace

double moec::bench::flopOf(const Manifest &manifest, const Launch &launch, double tokens, double outputs) {
  return double(launch.flops_per_unit()) * (Given(manifest, launch).isPerOutput ? outputs : tokens);
}

double moec::bench::flopOf(const Manifest &manifest, const char *phase, double tokens, double outputs) {
  double flop = 0;
  forEachLaunch(manifest, phase, [&](const Launch &launch) { flop += flopOf(manifest, launch, tokens, outputs); });
  return flop;
}

DecodeBytes moec::bench::decodeBytesOf(const Manifest &manifest) {
  DecodeBytes result;
  std::vector<double> chosen; // of each routed layer: the share of its experts that a token chooses
  if (manifest.routing())
    for (const RoutingRecord *layer : *manifest.routing())
      chosen.push_back(double(layer->k()) / double(layer->experts()));
  result.experts.resize(chosen.size());

  // A launch that reads less of its weights for one token than all is one of experts; those of a layer work on the same order.
  auto layer = chosen.begin();
  const double *current = nullptr;
  std::set<uint32_t> orders;
  forEachLaunch(manifest, "decode", [&](const Launch &launch) {
    Given given(manifest, launch);
    double forOne = double(launch.bytes_per_unit());
    if (given.readsIds) {
      result.everyToken += forOne;
      return;
    }
    double left = given.weightBytes - forOne;
    if (left > 0 && !given.sharesOrders(orders)) {
      orders = given.orders;
      layer = std::ranges::find_if(layer, chosen.end(), [](double share) { return share < 1; });
      current = layer == chosen.end() ? nullptr : &*layer++;
    }
    if (left <= 0 || !current) {
      result.everyStep += forOne;
      return;
    }
    double experts = left / (1 - *current);
    result.experts[size_t(current - chosen.data())] += experts;
    result.everyStep += given.weightBytes - experts;
  });
  return result;
}
