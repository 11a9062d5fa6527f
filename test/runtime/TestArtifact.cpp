// A small artifact made by hand, from the kernels of kernels.c and kernels.ptx.
#include "test/runtime/TestArtifact.h"

#include "test/runtime/Seal.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <xxhash.h>

using namespace moec;
using artifact::BufferKind;
using artifact::ElementType;
using artifact::Extent;

namespace {
template <typename T, typename Edit> std::unique_ptr<T> make(Edit edit) {
  auto value = std::make_unique<T>();
  edit(*value);
  return value;
}

std::unique_ptr<artifact::BufferT> buffer(BufferKind kind, ElementType element = ElementType::i32, Extent extent = Extent::constant,
                                          uint64_t width = 1, uint64_t offset = 0) {
  return make<artifact::BufferT>([&](artifact::BufferT &b) {
    b.name = "b";
    b.kind = kind;
    b.element = element;
    b.extent = extent;
    b.width = width;
    b.offset = offset;
  });
}

std::unique_ptr<artifact::LaunchT> launch(uint32_t kernel, std::vector<uint32_t> buffers, Extent extent) {
  return make<artifact::LaunchT>([&](artifact::LaunchT &l) {
    l.kernel = kernel;
    l.buffers = std::move(buffers);
    l.extent = extent;
    l.items_per_unit = 1;
    l.flops_per_unit = 2;
    l.bytes_per_unit = 32;
  });
}

std::string floats(std::initializer_list<float> values) {
  return {reinterpret_cast<const char *>(std::data(values)), values.size() * sizeof(float)};
}

std::unique_ptr<artifact::GpuKernelT> gpuKernel(uint32_t kernel, uint32_t threads, Extent extent, uint64_t divisor) {
  return make<artifact::GpuKernelT>([&](artifact::GpuKernelT &k) {
    k.kernel = kernel;
    k.threads = threads;
    k.grid.push_back(make<artifact::LaunchDimensionT>([&](artifact::LaunchDimensionT &dimension) {
      dimension.extent = extent;
      dimension.divisor = divisor;
    }));
  });
}

/// The launches of kernels.ptx.
std::unique_ptr<artifact::GpuCodeT> gpuCode(const char *target, uint32_t section) {
  return make<artifact::GpuCodeT>([&](artifact::GpuCodeT &code) {
    code.target = target;
    code.section = section;
    code.min_compute_capability = 80;
    code.kernels.push_back(gpuKernel(0, 64, Extent::tokens, 64));
    code.kernels.push_back(gpuKernel(1, 32, Extent::outputs, 1));
    code.kernels[1]->counter_bytes = 64;
    code.kernels[1]->workspace = make<artifact::LaunchDimensionT>([](artifact::LaunchDimensionT &bytes) {
      bytes.extent = Extent::outputs;
      bytes.factor = 4;
      bytes.addend = 64;
    });
  });
}

/// Appends a section; returns where it begins.
uint64_t appendAligned(std::string &file, std::string_view bytes) {
  file.resize((file.size() + 4095) / 4096 * 4096);
  file += bytes;
  return file.size() - bytes.size();
}

artifact::Hash128 hashOf(std::string_view bytes) {
  XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.low64, hash.high64};
}
} // namespace

artifact::ManifestT test::soundManifest() {
  artifact::ManifestT manifest;
  manifest.producer = "a test";
  manifest.model = make<artifact::ModelT>([](artifact::ModelT &model) {
    model.family = "test";
    model.vocabulary = vocabulary;
    model.layers = 1;
    model.parameters = vocabulary;
    model.max_sequence = maxSequence;
    model.max_batch = maxBatch;
    model.page_size = 4;
    model.bos_id = 0;
    model.eos_ids = {7};
    model.compute = "f32";
  });
  manifest.weights.push_back(make<artifact::WeightT>([](artifact::WeightT &weight) {
    weight.name = "w";
    weight.element = ElementType::f32;
    weight.shape = {vocabulary};
    weight.runs.push_back(make<artifact::WeightRunT>([](artifact::WeightRunT &run) { run.bytes = 4 * vocabulary; }));
  }));
  manifest.caches.push_back(make<artifact::CacheT>([](artifact::CacheT &cache) {
    cache.name = "c";
    cache.element = ElementType::f32;
    cache.width = 1;
  }));
  // 0 ids, 1 positions, 2 sequence, 3 pages, 4 output tokens, 5 cache, 6 constant, 7 weight, 8 routing, 9 logits
  for (BufferKind kind : {BufferKind::token_ids, BufferKind::positions, BufferKind::token_sequence, BufferKind::pages,
                          BufferKind::output_tokens, BufferKind::cache})
    manifest.buffers.push_back(buffer(kind));
  manifest.buffers.push_back(buffer(BufferKind::constant, ElementType::f32, Extent::constant, vocabulary));
  manifest.buffers.push_back(buffer(BufferKind::weight, ElementType::f32, Extent::constant, vocabulary));
  manifest.buffers.push_back(buffer(BufferKind::arena, ElementType::i32, Extent::tokens, 1));
  manifest.buffers.push_back(buffer(BufferKind::arena, ElementType::f32, Extent::outputs, vocabulary, 64));
  for (const char *symbol : {"append", "attend"})
    manifest.kernels.push_back(make<artifact::KernelT>([&](artifact::KernelT &kernel) {
      kernel.symbol = symbol;
      kernel.scratch_bytes = 64;
    }));
  for (const char *name : {"prefill", "decode"})
    manifest.programs.push_back(make<artifact::ProgramT>([&](artifact::ProgramT &program) {
      program.name = name;
      program.max_tokens = 6;
      program.max_sequences = maxBatch;
      program.max_outputs = 4;
      program.arena_bytes = 64 + 4 * 4 * vocabulary;
      program.launches.push_back(launch(0, {0, 1, 2, 3, 5, 8}, Extent::tokens));
      program.launches.push_back(launch(1, {1, 2, 3, 4, 5, 6, 7, 9}, Extent::outputs));
      for (auto [output, index] : {std::pair("logits", 9u), {"routing.0", 8u}})
        program.outputs.push_back(make<artifact::OutputT>([&](artifact::OutputT &o) {
          o.name = output;
          o.buffer = index;
        }));
    }));
  manifest.code.push_back(make<artifact::CodeVariantT>([](artifact::CodeVariantT &code) {
    code.isa = "x86-64-v1";
    code.section = 0;
  }));
  manifest.gpu_code.push_back(gpuCode("sm_80", 3));
  manifest.routing.push_back(make<artifact::RoutingRecordT>([](artifact::RoutingRecordT &record) {
    record.experts = 3;
    record.k = 1;
    record.description = "id modulo 3";
  }));
  return manifest;
}

artifact::ManifestT test::functionManifest() {
  artifact::ManifestT manifest = soundManifest();
  auto weights = std::move(manifest.weights);
  auto code = std::move(manifest.code);
  manifest = {};
  manifest.producer = "a test";
  manifest.model = make<artifact::ModelT>([](artifact::ModelT &model) { model.family = model.compute = "test"; });
  manifest.weights = std::move(weights);
  manifest.code = std::move(code);
  auto tensor = [](const char *name) {
    return make<artifact::TensorDescriptionT>([&](artifact::TensorDescriptionT &t) {
      t.name = name;
      t.shape = {-1};
    });
  };
  manifest.functions.push_back(make<artifact::FunctionT>([&](artifact::FunctionT &function) {
    function.symbol = "twice";
    function.inputs.push_back(tensor("x"));
    function.outputs.push_back(tensor("y"));
    function.weights = {0};
  }));
  return manifest;
}

void test::chainLaunches(artifact::ManifestT &manifest) {
  artifact::GpuCodeT &code = *manifest.gpu_code[0];
  for (const auto &kernel : code.kernels)
    kernel->threads = code.kernels[0]->threads;
  for (const auto &program : manifest.programs) {
    artifact::GpuChainT &chain = *code.chains.emplace_back(std::make_unique<artifact::GpuChainT>());
    chain.symbol = "chain";
    for (const auto &launch : program->launches)
      for (uint32_t place = 0; place < code.kernels.size(); ++place)
        if (code.kernels[place]->kernel == launch->kernel)
          chain.kernels.push_back(place);
    artifact::GpuProgramT &chained = *code.programs.emplace_back(std::make_unique<artifact::GpuProgramT>());
    chained.chained.emplace_back(0, uint32_t(code.chains.size() - 1));
  }
}

std::string test::gpuText() { return contentsOf(MOEC_TEST_DATA "/runtime/kernels.ptx"); }

std::string test::artifactBytes(artifact::ManifestT manifest, const std::function<void(artifact::ManifestT &)> &edit,
                                const char *kernels, const std::string &gpuKernels) {
  std::string file(72, '\0');
  for (auto &[name, bytes] : {std::pair<std::string, std::string>{"code/x86-64-v1", contentsOf(kernels)},
                              {"constants", floats({1, 2, 3, 4, 5, 6, 7, 8})},
                              {"weights", floats({1, -1, 2, -2, 3, -3, 4, -4})},
                              {"ptx/sm_80", gpuKernels}})
    manifest.sections.push_back(make<artifact::SectionT>([&](artifact::SectionT &section) {
      section.name = name;
      section.offset = appendAligned(file, bytes);
      section.length = bytes.size();
      section.hash = std::make_unique<artifact::Hash128>(hashOf(bytes));
    }));
  if (edit)
    edit(manifest);
  flatbuffers::FlatBufferBuilder builder;
  artifact::FinishManifestBuffer(builder, artifact::CreateManifest(builder, &manifest));
  return sealedFile(file, {reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize()});
}

std::string test::sealedFile(std::string file, std::string_view manifest) {
  uint64_t offset = appendAligned(file, manifest);
  auto put = [&](size_t at, uint64_t value) { std::memcpy(file.data() + at, &value, sizeof value); };
  std::memcpy(file.data(), "MOEC\r\n\x1a\n", 8);
  put(16, offset);
  put(24, manifest.size());
  seal(file);
  return file;
}

std::string test::folder() {
  struct Folder {
    std::string path = testing::TempDir() + "/moec-runtime-XXXXXX";
    Folder() { EXPECT_NE(mkdtemp(path.data()), nullptr); }
    ~Folder() { std::filesystem::remove_all(path); }
  };
  static const Folder made;
  return made.path;
}

std::string test::contentsOf(const std::string &path) {
  std::stringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

std::unique_ptr<runtime::Artifact> test::openSound(const std::function<void(artifact::ManifestT &)> &edit) {
  static int number = 0; // an artifact that is open keeps its file
  auto opened =
      runtime::Artifact::open(writeFile("sound-" + std::to_string(number++) + ".moec", artifactBytes(soundManifest(), edit)));
  EXPECT_TRUE(opened.ok()) << opened.status().message();
  return opened.ok() ? std::move(*opened) : nullptr;
}

std::string test::writeFile(const std::string &name, const std::string &bytes) {
  std::string path = folder() + "/" + name;
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
  return path;
}

std::vector<float> test::expectedLogits(std::span<const int32_t> ids) {
  float sum = 0;
  for (size_t position = 0; position < ids.size(); ++position)
    sum += float(position + 1) * float(ids[position]);
  std::vector<float> logits;
  for (int v = 0; v < vocabulary; ++v)
    logits.push_back(float(v + 1) + float(v / 2 + 1) * (v % 2 ? -1.0f : 1.0f) * sum);
  return logits;
}
