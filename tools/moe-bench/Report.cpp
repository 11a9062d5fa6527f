// The report of a benchmark: Markdown, CSV or JSON.
#include "tools/moe-bench/Report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

using namespace moec::bench;

namespace {
std::string formatted(const char *format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string markdown(const std::string &model, const std::map<int, Limits> &limits, const std::vector<Row> &rows) {
  std::string text = model + ", measured with moe-bench " MOEC_VERSION "\n\n";
  for (const auto &[threads, limit] : limits) {
    text += "- " + limit.machine + ": " + formatted("%.1f GB/s read, ", limit.readBytes * 1e-9) +
            formatted("%.0f GFLOP/s f32", limit.f32Flops * 1e-9);
    if (limit.bf16Flops > 0)
      text += formatted(", %.0f GFLOP/s bf16", limit.bf16Flops * 1e-9);
    text += "\n";
  }
  text += "\n| test | batch | threads | tokens/s | share of the limit |\n|---|---|---|---|---|\n";
  for (const Row &row : rows) {
    bool seconds = row.test == "first token";
    std::string rate = seconds ? formatted("%.4f", row.rate.mean) + formatted(" ± %.4f s", row.rate.deviation)
                               : formatted("%.2f", row.rate.mean) + formatted(" ± %.2f", row.rate.deviation);
    std::string share =
        row.share > 0 ? formatted("%.1f %%", row.share * 100) + " of " + row.limit + formatted(" (%.2f tokens/s)", row.limitRate)
                      : "";
    text += "| " + row.test + " | " + std::to_string(row.batch) + " | " + std::to_string(row.threads) + " | " + rate + " | " +
            share + " |\n";
  }
  return text;
}

std::string markdown(const std::string &model, const std::vector<KernelRow> &rows) {
  std::string text = model + ", each kernel's time by moe-bench " MOEC_VERSION "\n";
  std::string heading;
  for (const KernelRow &row : rows) {
    std::string test = row.test + ", batch " + std::to_string(row.batch) + ", " + std::to_string(row.threads) +
                       (row.threads == 1 ? " thread" : " threads");
    if (test != heading)
      text += "\n" + test + "\n\n| kernel | launches | µs | share | GFLOP/s | GB/s read |\n|---|---|---|---|---|---|\n";
    heading = test;
    text += "| " + row.kernel + " | " + std::to_string(row.launches) + " | " + formatted("%.1f", row.seconds * 1e6) + " | " +
            formatted("%.1f %%", row.share * 100) + " | " + formatted("%.1f", row.flops * 1e-9) + " | " +
            (row.readBytes > 0 ? formatted("%.1f", row.readBytes * 1e-9) : "") + " |\n";
  }
  return text;
}

std::string printed(const nlohmann::ordered_json &value) {
  return value.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// As a field of CSV.
std::string quoted(const std::string &text) {
  std::string result = "\"";
  for (char c : text)
    result.append(c == '"' ? 2 : 1, c);
  return result + "\"";
}

std::string csv(const std::string &model, const std::vector<Row> &rows) {
  std::string text = "model,test,batch,threads,mean,deviation,unit,limit,limit_rate,share\n";
  for (const Row &row : rows)
    text += quoted(model) + "," + row.test + "," + std::to_string(row.batch) + "," + std::to_string(row.threads) + "," +
            formatted("%.6g", row.rate.mean) + "," + formatted("%.6g", row.rate.deviation) + "," +
            (row.test == "first token" ? "s" : "tokens/s") + "," + row.limit + "," +
            (row.limit.empty() ? "," : formatted("%.6g", row.limitRate) + "," + formatted("%.4f", row.share)) + "\n";
  return text;
}

std::string csv(const std::string &model, const std::vector<KernelRow> &rows) {
  std::string text = "model,test,batch,threads,kernel,launches,seconds,share,flops,read_bytes_per_second\n";
  for (const KernelRow &row : rows)
    text += quoted(model) + "," + row.test + "," + std::to_string(row.batch) + "," + std::to_string(row.threads) + "," +
            quoted(row.kernel) + "," + std::to_string(row.launches) + "," + formatted("%.6g", row.seconds) + "," +
            formatted("%.4f", row.share) + "," + formatted("%.6g", row.flops) + "," +
            (row.readBytes > 0 ? formatted("%.6g", row.readBytes) : "") + "\n";
  return text;
}

std::string json(const std::string &model, const std::map<int, Limits> &limits, const std::vector<Row> &rows) {
  nlohmann::ordered_json result = {{"producer", "moe-bench " MOEC_VERSION}, {"model", model}};
  for (const auto &[threads, limit] : limits)
    result["limits"].push_back({{"machine", limit.machine},
                                {"threads", threads},
                                {"read_bytes_per_second", limit.readBytes},
                                {"f32_flops", limit.f32Flops},
                                {"bf16_flops", limit.bf16Flops}});
  auto known = [](const Row &row, nlohmann::ordered_json value) { return row.limit.empty() ? nlohmann::ordered_json() : value; };
  for (const Row &row : rows)
    result["rows"].push_back({{"test", row.test},
                              {"batch", row.batch},
                              {"threads", row.threads},
                              {"mean", row.rate.mean},
                              {"deviation", row.rate.deviation},
                              {"unit", row.test == "first token" ? "s" : "tokens/s"},
                              {"limit", known(row, row.limit)},
                              {"limit_rate", known(row, row.limitRate)},
                              {"share", known(row, row.share)}});
  return printed(result);
}

std::string json(const std::string &model, const std::vector<KernelRow> &rows) {
  nlohmann::ordered_json result = {
      {"producer", "moe-bench " MOEC_VERSION}, {"model", model}, {"kernels", nlohmann::ordered_json::array()}};
  for (const KernelRow &row : rows)
    result["kernels"].push_back({{"test", row.test},
                                 {"batch", row.batch},
                                 {"threads", row.threads},
                                 {"kernel", row.kernel},
                                 {"launches", row.launches},
                                 {"seconds", row.seconds},
                                 {"share", row.share},
                                 {"flops", row.flops},
                                 {"read_bytes_per_second", row.readBytes > 0 ? nlohmann::ordered_json(row.readBytes) : nullptr}});
  return printed(result);
}
} // namespace

std::string moec::bench::report(const std::string &format, const std::string &model, const std::map<int, Limits> &limits,
                                const std::vector<Row> &rows) {
  return format == "csv" ? csv(model, rows) : format == "json" ? json(model, limits, rows) : markdown(model, limits, rows);
}

std::string moec::bench::reportKernels(const std::string &format, const std::string &model, const std::vector<KernelRow> &rows) {
  return format == "csv" ? csv(model, rows) : format == "json" ? json(model, rows) : markdown(model, rows);
}
