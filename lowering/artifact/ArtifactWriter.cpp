// A plan and its code, written as an artifact.
#include "lowering/artifact/ArtifactWriter.h"

#include "dialects/plan/Plan.h"
#include "lowering/artifact/Constants.h"
#include "lowering/artifact/Manifest.h"
#include "lowering/artifact/SectionFile.h"
#include "lowering/artifact/StridedPart.h"

#include "llvm/ADT/MapVector.h"

using namespace llvm;
using namespace moec;
using namespace moec::lowering;

namespace {
/// Kernels may read whole cache lines, so every part begins one.
constexpr uint64_t partAlignment = 64;
constexpr size_t copyBytes = 4 << 20;

/// Adds a section; gives its index.
Expected<uint32_t> addSection(SectionFile &file, StringRef name, StringRef bytes) {
  uint32_t index = file.begin(name);
  if (Error error = file.append({bytes.data(), bytes.size()}))
    return error;
  file.end();
  return index;
}

Error addConstants(SectionFile &file, mlir::ModuleOp plan) {
  if (plan.getOps<plan::ConstantOp>().empty())
    return Error::success();
  file.begin("constants");
  for (auto constant : plan.getOps<plan::ConstantOp>()) {
    if (Error error = file.align(partAlignment))
      return error;
    if (file.sectionBytes() != uint64_t(*constant.getOffset()))
      return createStringError("constant '" + constant.getSymName() + "': expected the offset " + Twine(file.sectionBytes()) +
                               ", got " + Twine(*constant.getOffset()));
    Expected<std::vector<float>> elements = elementsOf(constant);
    if (!elements)
      return elements.takeError();
    if (Error error = file.append({reinterpret_cast<const char *>(elements->data()), elements->size() * sizeof(float)}))
      return error;
  }
  file.end();
  return Error::success();
}

/// Where the parts of a plan's weights are found by whoever loads the artifact.
class WeightPlacer {
public:
  WeightPlacer(SectionFile &section, WeightFiles &files) : section(section), files(files) {}

  /// Copies parts into the artifact, or leaves them in their files unless they must be laid out anew.
  Expected<PlacedWeights> place(mlir::ModuleOp plan, bool embeds) {
    auto isEmbedded = [&](plan::PartAttr run) { return embeds || run.isStrided() || files.isComputed(run.getFile()); };
    bool anyEmbedded = any_of(plan.getOps<plan::WeightOp>(), [&](plan::WeightOp weight) {
      return any_of(weight.getParts().getAsRange<plan::PartAttr>(), isEmbedded);
    });
    if (anyEmbedded)
      section.begin("weights");
    for (auto weight : plan.getOps<plan::WeightOp>()) {
      placed.runs.emplace_back();
      for (auto run : weight.getParts().getAsRange<plan::PartAttr>())
        if (Error error = isEmbedded(run) ? embed(weight, run) : refer(weight, run))
          return error;
    }
    if (anyEmbedded)
      section.end();
    return std::move(placed);
  }

private:
  Error embed(plan::WeightOp weight, plan::PartAttr run) {
    artifact::WeightRunT &record = placed.runs.back().emplace_back();
    record.offset = alignTo(section.sectionBytes(), partAlignment);
    record.bytes = uint64_t(run.getBytes());
    record.times = uint64_t(run.getTimes());
    record.every = alignTo(record.bytes, partAlignment);
    for (int64_t index = 0; index < run.getTimes(); ++index) {
      if (Error error = section.align(partAlignment))
        return error;
      if (Error error = run.isStrided() ? layOut(weight, run, index) : copy(run, index))
        return createStringError("weight '" + weight.getSymName() + "': " + toString(std::move(error)));
    }
    return Error::success();
  }

  Error copy(plan::PartAttr run, int64_t index) {
    uint64_t all = uint64_t(run.getBytes());
    for (uint64_t done = 0; done < all; done += bytes.size()) {
      bytes.resize(std::min<uint64_t>(copyBytes, all - done));
      if (Error error = files.read(run.getFile(), uint64_t(run.getOffsetOf(index)) + done, bytes))
        return error;
      if (Error error = section.append(bytes))
        return error;
    }
    return Error::success();
  }

  Error layOut(plan::WeightOp weight, plan::PartAttr run, int64_t index) {
    auto type = cast<mlir::RankedTensorType>(weight.getType());
    MatrixSize size{.columns = uint64_t(type.getShape().back()), .elementBits = type.getElementTypeBitWidth()};
    Expected<std::vector<char>> matrix = readStrided(files, run, index, size);
    return matrix ? section.append(*matrix) : matrix.takeError();
  }

  Error refer(plan::WeightOp weight, plan::PartAttr run) {
    auto [entry, isNew] = known.insert({run.getFile(), int32_t(placed.files.size())});
    if (isNew) {
      Expected<uint64_t> size = files.sizeOf(run.getFile());
      if (!size)
        return size.takeError();
      artifact::WeightFileT &file = placed.files.emplace_back();
      file.name = run.getFile().str();
      file.size = *size;
    }
    int32_t source = entry->second;
    uint64_t last = uint64_t(run.getOffsetOf(run.getTimes() - 1)), bytes = uint64_t(run.getBytes());
    if (last + bytes > placed.files[size_t(source)].size)
      return createStringError("weight '" + weight.getSymName() + "' lies beyond the end of '" + run.getFile() + "'");
    artifact::WeightRunT &record = placed.runs.back().emplace_back();
    record.source = source;
    record.offset = uint64_t(run.getOffsetOf(0));
    record.bytes = bytes;
    record.times = uint64_t(run.getTimes());
    record.every = uint64_t(run.getEvery());
    return Error::success();
  }

  SectionFile &section;
  WeightFiles &files;
  PlacedWeights placed;
  MapVector<StringRef, int32_t> known; ///< files by name
  std::vector<char> bytes;
};

/// The sections of code for GPUs, and their records.
Expected<std::vector<std::unique_ptr<artifact::GpuCodeT>>> addGpuCode(SectionFile &file, ArrayRef<GpuCode> codes) {
  std::vector<std::unique_ptr<artifact::GpuCodeT>> records;
  for (const GpuCode &code : codes) {
    Expected<uint32_t> section = addSection(file, code.section, code.text);
    if (!section)
      return section.takeError();
    auto record = std::make_unique<artifact::GpuCodeT>(recordOf(code));
    record->section = *section;
    for (auto [chip, assembled] : zip_equal(code.chips, record->cubins)) {
      Expected<uint32_t> code = addSection(file, chip.section, chip.bytes);
      if (!code)
        return code.takeError();
      assembled->section = *code;
    }
    records.push_back(std::move(record));
  }
  return records;
}
} // namespace

Error moec::lowering::writeArtifact(mlir::ModuleOp plan, const ArtifactContents &contents, WeightFiles &files, StringRef path) {
  Expected<std::unique_ptr<SectionFile>> created = SectionFile::create(path);
  if (!created)
    return created.takeError();
  SectionFile &file = **created;

  std::vector<std::unique_ptr<artifact::CodeVariantT>> code;
  for (const CodeVariant &variant : contents.code) {
    Expected<uint32_t> section = addSection(file, "code/" + variant.isa, variant.sharedObject);
    if (!section)
      return section.takeError();
    auto record = std::make_unique<artifact::CodeVariantT>();
    record->isa = variant.isa;
    record->section = *section;
    record->features = variant.features;
    code.push_back(std::move(record));
  }
  auto gpuCode = addGpuCode(file, contents.gpuCode);
  if (!gpuCode)
    return gpuCode.takeError();
  if (Error error = addConstants(file, plan))
    return error;
  for (const auto &[name, bytes] : {std::pair("tokenizer", &contents.tokenizer), {"chat_template", &contents.chatTemplate}})
    if (*bytes)
      if (Expected<uint32_t> section = addSection(file, name, **bytes); !section)
        return section.takeError();
  Expected<PlacedWeights> placed = WeightPlacer(file, files).place(plan, contents.embedWeights);
  if (!placed)
    return placed.takeError();

  Expected<artifact::ManifestT> manifest = manifestOf(plan, std::move(*placed));
  if (!manifest)
    return manifest.takeError();
  manifest->producer = "moec " MOEC_VERSION;
  manifest->code = std::move(code);
  manifest->gpu_code = std::move(*gpuCode);
  manifest->provenance = contents.provenance;
  if (!contents.embedWeights)
    if (auto folder = plan->getAttrOfType<mlir::StringAttr>("moe.folder"))
      manifest->weight_folder = folder.str();
  for (const artifact::SectionT &section : file.records())
    manifest->sections.push_back(std::make_unique<artifact::SectionT>(section));
  flatbuffers::FlatBufferBuilder builder;
  artifact::FinishManifestBuffer(builder, artifact::CreateManifest(builder, &*manifest));
  return file.finish({reinterpret_cast<const char *>(builder.GetBufferPointer()), builder.GetSize()});
}
