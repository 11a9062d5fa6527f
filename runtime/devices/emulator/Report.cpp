// Collects reports and puts them into words.
#include "runtime/devices/emulator/Report.h"

using namespace moec::runtime::emulator;

std::string_view moec::runtime::emulator::nameOf(ReportKind kind) {
  switch (kind) {
  case ReportKind::race:
    return "data race";
  case ReportKind::earlyRead:
    return "access before an asynchronous copy has landed";
  case ReportKind::outOfBounds:
    return "out of bounds";
  case ReportKind::misaligned:
    return "misaligned";
  case ReportKind::uninitialised:
    return "uninitialised";
  case ReportKind::readOnly:
    return "write to read-only memory";
  case ReportKind::divergent:
    return "divergence";
  case ReportKind::deadlock:
    return "deadlock";
  case ReportKind::trap:
    return "trap";
  }
  return "";
}

static std::string inBrackets(const Dimensions &at) {
  return "(" + std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z) + ")";
}

std::string moec::runtime::emulator::describe(const Report &report) {
  std::string sentence = report.kernel + ": line " + std::to_string(report.line) + " '" + report.text + "': block " +
                         inBrackets(report.block) + " thread " + inBrackets(report.thread) + ": " +
                         std::string(nameOf(report.kind));
  if (!report.message.empty())
    sentence += ": " + report.message;
  if (report.count > 1)
    sentence += " (" + std::to_string(report.count) + " times)";
  return sentence;
}

bool Reports::count(uint32_t line, ReportKind kind) {
  std::lock_guard lock(mutex);
  total.fetch_add(1, std::memory_order_relaxed);
  auto [at, isNew] = found.try_emplace({line, kind});
  if (!isNew)
    ++at->second.count;
  return isNew;
}

void Reports::add(Report report) {
  std::lock_guard lock(mutex);
  Report &kept = found[{report.line, report.kind}];
  report.count = kept.count;
  kept = std::move(report);
}

std::vector<Report> Reports::take() {
  std::lock_guard lock(mutex);
  std::vector<Report> all;
  for (auto &[key, report] : found)
    all.push_back(std::move(report));
  found.clear();
  total = 0;
  return all;
}
