// Writes what test/gpu-check compares a model with: gpu-cases MODEL-FOLDER OUT-FOLDER
//   exact-I.npy, f32-I.npy   logits of prompt I that a run in bf16, in f32 is compared with
//   cases                    for each prompt a line: its ids, the tolerances in bf16 and in f32, and the ids after 64 greedy tokens
#include "test/importers/Golden.h"
#include "test/tools/Runs.h"

#include "runtime/npy/Npy.h"

#include <cstdio>
#include <fstream>

using namespace moec;
using namespace moec::test;

namespace {
runtime::Status write(const std::string &path, const std::vector<double> &logits, int64_t rows) {
  std::vector<float> values(logits.begin(), logits.end());
  int64_t shape[] = {rows, int64_t(values.size()) / rows};
  runtime::Result<runtime::NpyWriter> writer = runtime::NpyWriter::create(path, "<f4", shape);
  if (!writer.ok())
    return writer.status();
  MOEC_RETURN_IF_ERROR(writer->append(std::as_bytes(std::span(values))));
  return writer->finish();
}

runtime::Status writeCases(const Golden &golden, const std::string &folder) {
  std::ofstream cases(folder + "/cases");
  for (int i = 0; auto ids = golden.prompt(i); ++i) {
    std::string number = std::to_string(i);
    std::vector<double> f32 = golden.get("logits_f32/" + number).values;
    MOEC_RETURN_IF_ERROR(write(folder + "/exact-" + number + ".npy", golden.exactLogits(i), int64_t(ids->size())));
    MOEC_RETURN_IF_ERROR(write(folder + "/f32-" + number + ".npy", f32, int64_t(ids->size())));
    std::vector<int64_t> greedy = *ids;
    for (double id : golden.get("greedy/" + number).values)
      greedy.push_back(int64_t(id));
    cases << joined(*ids) << " " << golden.bf16Bound(i) << " " << 1e-4 * largest(f32) << " " << joined(greedy) << "\n";
  }
  return cases.flush() ? runtime::Status() : runtime::Status::ioError(folder + "/cases: cannot write");
}
} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: gpu-cases MODEL-FOLDER OUT-FOLDER\n");
    return 2;
  }
  runtime::Status status = writeCases(Golden(argv[1]), argv[2]);
  if (!status.ok())
    std::fprintf(stderr, "gpu-cases: error: %s\n", status.message().c_str());
  return status.ok() ? 0 : 2;
}
