// Running kernels in the test's own process, over memory that ends where the data ends.
#include "KernelRun.h"
#include "Elements.h"

#include "lowering/kernel/LowerToLLVM.h"
#include "lowering/plan/Schedule.h"
#include "lowering/plan/Tables.h"

#include "dialects/moe/Rotary.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MathExtras.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

using namespace mlir;
using namespace moec;
using namespace moec::test;

namespace {

/// Memory that ends (up to an alignment) at a page nobody may touch: one element read beyond the end is a fault.
class GuardedMemory {
public:
  GuardedMemory(size_t size, size_t alignment) {
    size_t bytes = (size + alignment - 1) / alignment * alignment;
    size_t page = size_t(sysconf(_SC_PAGESIZE)), whole = (bytes + page - 1) / page * page;
    mapped = whole + page;
    base = static_cast<char *>(mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base + whole, page, PROT_NONE);
    begin = base + whole - bytes;
    std::memset(base, 0xff, whole); // NaN in every float type: what is not written must not be used
  }
  GuardedMemory(GuardedMemory &&other) : base(std::exchange(other.base, nullptr)), begin(other.begin), mapped(other.mapped) {}
  ~GuardedMemory() {
    if (base)
      munmap(base, mapped);
  }
  char *data() const { return begin; }

private:
  char *base, *begin;
  size_t mapped;
};
} // namespace

struct KernelRun::Implementation {
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  plan::KernelOp kernel;
  std::vector<std::unique_ptr<CompiledKernel>> compiled;

  std::vector<Sequence> sequences;
  std::vector<int64_t> outputs;
  std::map<unsigned, Tensor> inputs, given;
  uint64_t seed = 0;
  evaluator::Caches pasts; ///< every position of every sequence, before the run

  // Of the last run.
  std::vector<GuardedMemory> memory;
  std::vector<Region> regions;
  size_t alignment = 1;
  std::vector<char *> cacheBases;
  std::vector<int32_t> pages;
  int64_t maxPages = 0;

  int64_t tokens() const {
    int64_t sum = 0;
    for (const Sequence &sequence : sequences)
      sum += sequence.length;
    return sum;
  }
  int64_t rows() { return kernel.getRows() == plan::Extent::Outputs ? int64_t(outputs.size()) : tokens(); }
  RankedTensorType typeOf(Value value) const { return cast<RankedTensorType>(value.getType()); }
  std::vector<int64_t> shapeOf(RankedTensorType type, int64_t rows) const {
    std::vector<int64_t> shape = type.getShape().vec();
    if (type.isDynamicDim(0))
      shape[0] = rows;
    return shape;
  }
  /// Rows of a cache that a sequence of so many positions fills, and which of all rows is the `row`-th of sequence `s`.
  static int64_t rowsOf(moe::CacheOp cache, int64_t positions) { return positions / int64_t(cache.getBlock()); }
  int64_t placeOf(moe::CacheOp cache, size_t s, int64_t row) const {
    int64_t block = int64_t(cache.getBlock()), position = row * block;
    int64_t page = pages[s * maxPages + position / lowering::pageSize];
    return page * lowering::rowsOfPage(block) + position % lowering::pageSize / block;
  }
  bool gathers() { return !kernel.getBody().front().getOps<moe::GatherOutputsOp>().empty(); }

  char *allocate(size_t bytes, Region::Use use = Region::read) {
    char *place = memory.emplace_back(bytes, alignment).data();
    regions.push_back({place, bytes, use});
    return place;
  }
  char *fill(Type element, std::span<const double> values) {
    char *place = allocate(bytesOf(element, values.size()));
    if (element.getIntOrFloatBitWidth() == 4) // two to a byte, the first in its low bits
      for (size_t i = 0; i < values.size(); i += 2)
        place[i / 2] = char(bitsOf(element, values[i]) | bitsOf(element, values[i + 1]) << 4);
    else
      write(place, element, values);
    return place;
  }
  void *bindWeight(unsigned argument, const Tensor &value);
  void bindBatch(std::vector<void *> &buffers);
  void *bindCache(moe::CacheOp cache);
  void bindTables(std::vector<void *> &buffers);
  OwningOpRef<ModuleOp> asFunction();
};

KernelRun::KernelRun(const std::string &text, Tiles tiles) : self(new Implementation) {
  self->context.loadDialect<func::FuncDialect, arith::ArithDialect>();
  lowering::loadKernelDialects(self->context);
  self->module = parseSourceString<ModuleOp>(text, &self->context);
  if (!self->module) {
    ADD_FAILURE() << "expected a kernel that parses:\n" << text;
    return;
  }
  self->kernel = *self->module->getOps<plan::KernelOp>().begin();
  self->compiled = compileKernel(*self->module, tiles);
}

KernelRun::~KernelRun() = default;

void KernelRun::setStep(std::vector<Sequence> sequences, std::vector<int64_t> outputs) {
  self->sequences = std::move(sequences);
  self->outputs = std::move(outputs);
}

void KernelRun::give(unsigned argument, std::optional<Tensor> value) {
  self->given.erase(argument);
  if (value)
    self->given.emplace(argument, std::move(*value));
}

const Tensor &KernelRun::input(unsigned argument) const { return self->inputs.at(argument); }

void KernelRun::scale(unsigned argument, double factor) {
  Type element = self->typeOf(self->kernel.getBody().getArgument(argument)).getElementType();
  for (double &value : self->inputs.at(argument).elements) {
    char place[8];
    write(place, element, value * factor);
    value = read(place, element);
  }
}

void KernelRun::changeCaches(llvm::function_ref<double(double)> change) {
  for (Operation *op : self->kernel.getCaches()) {
    auto cache = cast<moe::CacheOp>(op);
    Type element = cast<RankedTensorType>(cache.getType()).getElementType();
    for (size_t s = 0; s < self->sequences.size(); ++s)
      for (std::vector<double> &row : self->pasts.rows(cache.getSymName().str(), int64_t(s)))
        for (double &value : row)
          value = valueOf(element, bitsOf(element, change(value)));
  }
}

void KernelRun::makeUp(uint64_t seed) {
  if (!self->kernel)
    return;
  self->seed = seed;
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  auto rounded = [&](Type element, double value) { return valueOf(element, bitsOf(element, value)); };
  // Of stored numbers all there are, of scales such as keep results near 1.
  auto storedNumber = [&](Type element) {
    uint64_t bits = random() & llvm::maskTrailingOnes<uint64_t>(element.getIntOrFloatBitWidth());
    double value = valueOf(element, bits);
    return std::isfinite(value) ? value : 1;
  };
  self->inputs = self->given;
  for (BlockArgument argument : self->kernel.getBody().getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || self->given.count(argument.getArgNumber()))
      continue;
    Tensor value(self->shapeOf(type, self->gathers() ? self->tokens() : self->rows()));
    double scale = type.hasStaticShape() && type.getRank() > 1 ? 1 / std::sqrt(double(type.getShape().back())) : 1;
    bool isStored = false, isScale = false;
    for (OpOperand &use : argument.getUses())
      if (auto dequantize = dyn_cast<moe::DequantizeOp>(use.getOwner()))
        (argument == dequantize.getValues() || argument == dequantize.getZeros() ? isStored : isScale) = true;
    for (double &element : value.elements)
      element = isStored  ? storedNumber(type.getElementType())
                : isScale ? rounded(type.getElementType(), std::exp2(std::round(normal(random)) - 4))
                          : rounded(type.getElementType(), scale * normal(random));
    self->inputs[argument.getArgNumber()] = std::move(value);
  }
  self->pasts = {};
  for (Operation *op : self->kernel.getCaches()) {
    auto cache = cast<moe::CacheOp>(op);
    auto type = cast<RankedTensorType>(cache.getType());
    for (auto [s, sequence] : llvm::enumerate(self->sequences)) {
      auto &rows = self->pasts.rows(cache.getSymName().str(), int64_t(s));
      for (int64_t count = self->rowsOf(cache, sequence.past + sequence.length); count > 0; --count) {
        rows.emplace_back(type.getShape().back());
        for (double &element : rows.back())
          element = rounded(type.getElementType(), normal(random));
      }
    }
  }
}

void *KernelRun::Implementation::bindWeight(unsigned argument, const Tensor &value) {
  auto type = cast<RankedTensorType>(kernel.getBody().getArgument(argument).getType());
  ArrayRef<int64_t> partRows = cast<DenseI64ArrayAttr>(kernel.getPartRows()[argument]).asArrayRef();
  std::vector<int64_t> parts(partRows);
  if (parts.size() == 1)
    parts.assign(type.getDimSize(0) / partRows[0], partRows[0]);
  std::vector<char *> addresses;
  int64_t rowElements = type.getNumElements() / type.getDimSize(0), first = 0;
  for (int64_t rows : parts) {
    addresses.push_back(fill(type.getElementType(), std::span(value.elements).subspan(first * rowElements, rows * rowElements)));
    first += rows;
  }
  char *array = allocate(addresses.size() * sizeof(char *));
  std::memcpy(array, addresses.data(), addresses.size() * sizeof(char *));
  return array;
}

void KernelRun::Implementation::bindBatch(std::vector<void *> &buffers) {
  evaluator::Batch batch(sequences, outputs);
  std::vector<double> positions, owners, starts{0}, pageNumbers(pages.begin(), pages.end()), wanted(outputs.begin(), outputs.end());
  for (int64_t t = 0; t < batch.tokens(); ++t) {
    positions.push_back(double(batch.positionOf(t)));
    owners.push_back(double(batch.sequenceOf(t)));
  }
  for (const Sequence &sequence : sequences)
    starts.push_back(starts.back() + double(sequence.length));
  for (auto *values : {&positions, &owners, &starts, &pageNumbers, &wanted})
    buffers.push_back(fill(IntegerType::get(&context, 32), *values));
}

void *KernelRun::Implementation::bindCache(moe::CacheOp cache) {
  auto type = cast<RankedTensorType>(cache.getType());
  size_t rowBytes = type.getShape().back() * bytesOf(type.getElementType());
  char *base = allocate(pages.size() * lowering::rowsOfPage(int64_t(cache.getBlock())) * rowBytes, Region::changed);
  for (size_t s = 0; s < sequences.size(); ++s) {
    auto &rows = pasts.rows(cache.getSymName().str(), int64_t(s));
    for (size_t r = 0; r < rows.size(); ++r) {
      char *row = base + placeOf(cache, s, int64_t(r)) * rowBytes;
      for (size_t i = 0; i < rows[r].size(); ++i)
        write(row + i * bytesOf(type.getElementType()), type.getElementType(), rows[r][i]);
    }
  }
  cacheBases.push_back(base);
  return base;
}

void KernelRun::Implementation::bindTables(std::vector<void *> &buffers) {
  int64_t positions = maxPages * lowering::pageSize;
  Type f32 = Float32Type::get(&context);
  kernel.walk([&](Operation *op) {
    for (Attribute source : lowering::tablesOf(op)) {
      std::vector<double> table;
      for (int64_t p = 0; p < positions; ++p) {
        if (auto scale = dyn_cast<moe::PositionScaleAttr>(source)) {
          table.push_back(moe::positionScale(scale, p));
          continue;
        }
        auto rotary = cast<moe::RotaryAttr>(source);
        for (double frequency : moe::rotaryFrequencies(rotary)) {
          double angle = double(p) * frequency * (rotary.getInverse() ? -1 : 1), multiplier = rotary.getMultiplier();
          table.push_back(std::cos(angle) * multiplier);
          table.push_back(std::sin(angle) * multiplier);
        }
      }
      buffers.push_back(fill(f32, table));
    }
  });
}

std::vector<Bits> KernelRun::run(CompiledKernel &kernel, int64_t pieces) {
  self->memory.clear();
  self->regions.clear();
  self->alignment = kernel.alignment();
  self->cacheBases.clear();
  self->maxPages = 1;
  for (const Sequence &sequence : self->sequences)
    self->maxPages = std::max(self->maxPages, (sequence.past + sequence.length + lowering::pageSize - 1) / lowering::pageSize);
  self->pages.resize(self->sequences.size() * self->maxPages);
  std::iota(self->pages.rbegin(), self->pages.rend(), 0);

  std::vector<void *> buffers;
  for (BlockArgument argument : self->kernel.getBody().getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      self->bindBatch(buffers);
    else if (!cast<DenseI64ArrayAttr>(self->kernel.getPartRows()[argument.getArgNumber()]).empty())
      buffers.push_back(self->bindWeight(argument.getArgNumber(), self->inputs.at(argument.getArgNumber())));
    else
      buffers.push_back(self->fill(type.getElementType(), self->inputs.at(argument.getArgNumber()).elements));
  }
  for (Operation *op : self->kernel.getCaches())
    buffers.push_back(self->bindCache(cast<moe::CacheOp>(op)));
  std::vector<std::pair<char *, size_t>> results;
  for (Value value : self->kernel.getResults()) {
    Tensor shape(self->shapeOf(self->typeOf(value), self->rows()));
    results.push_back({self->allocate(shape.elements.size() * 4, Region::result), shape.elements.size()});
    buffers.push_back(results.back().first);
  }
  self->bindTables(buffers);

  runtime::StepNumbers numbers{self->tokens(), int64_t(self->outputs.size()), int64_t(self->sequences.size()), self->maxPages};
  kernel.run({std::move(buffers), self->regions, numbers, pieces});

  std::vector<Bits> bits;
  for (auto [place, count] : results) {
    bits.emplace_back(count);
    if (count)
      std::memcpy(bits.back().data(), place, count * 4);
  }
  return bits;
}

std::vector<std::vector<Bits>> KernelRun::runAll() {
  std::vector<std::vector<Bits>> all;
  for (auto &kernel : self->compiled)
    all.push_back(run(*kernel, 1));
  return all;
}

std::vector<float> KernelRun::cacheRows(unsigned index) const {
  auto cache = cast<moe::CacheOp>(self->kernel.getCaches()[index]);
  auto type = cast<RankedTensorType>(cache.getType());
  size_t elementBytes = bytesOf(type.getElementType()), width = type.getShape().back();
  std::vector<float> values;
  for (size_t s = 0; s < self->sequences.size(); ++s)
    for (int64_t r = 0; r < self->rowsOf(cache, self->sequences[s].past + self->sequences[s].length); ++r) {
      int64_t row = self->placeOf(cache, s, r);
      for (size_t i = 0; i < width; ++i)
        values.push_back(float(read(self->cacheBases[index] + (row * width + i) * elementBytes, type.getElementType())));
    }
  return values;
}

/// The kernel as a function that the evaluator runs.
OwningOpRef<ModuleOp> KernelRun::Implementation::asFunction() {
  OpBuilder b(&context);
  OwningOpRef<ModuleOp> result = ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToEnd(result->getBody());
  Block &source = kernel.getBody().front();
  for (Operation *cache : kernel.getCaches())
    b.clone(*cache);
  SmallVector<Type> types(ValueRange(kernel.getResults()).getTypes());
  auto function = func::FuncOp::create(b, b.getUnknownLoc(), "step", b.getFunctionType(source.getArgumentTypes(), types));
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToEnd(entry);
  IRMapping map;
  map.map(source.getArguments(), entry->getArguments());
  for (Operation &op : source.without_terminator())
    if (!isa<moe::CacheOp>(op))
      b.clone(op, map);
  func::ReturnOp::create(b, b.getUnknownLoc(), llvm::map_to_vector(kernel.getResults(), [&](Value v) { return map.lookup(v); }));
  return result;
}

void KernelRun::expectAsEvaluated(double tolerance) {
  if (self->compiled.empty())
    return;
  OwningOpRef<ModuleOp> module = self->asFunction();
  evaluator::Weights weights({});
  evaluator::Caches caches = self->pasts;
  std::vector<evaluator::Argument> arguments;
  for (BlockArgument argument : self->kernel.getBody().getArguments()) {
    if (isa<moe::BatchType>(argument.getType()))
      arguments.push_back(evaluator::Batch(self->sequences, self->outputs));
    else
      arguments.push_back(self->inputs.at(argument.getArgNumber()));
  }
  auto expected = evaluator::evaluate(*module->getOps<func::FuncOp>().begin(), arguments, weights, caches);
  ASSERT_TRUE(succeeded(expected));

  auto compare = [&](const std::string &what, auto count, auto actual, auto reference) {
    double largest = 1e-30, worst = 0;
    size_t worstAt = 0;
    for (size_t i = 0; i < count; ++i)
      largest = std::max(largest, std::abs(reference(i)));
    for (size_t i = 0; i < count; ++i) {
      double difference = std::abs(actual(i) - reference(i));
      if (!(difference <= worst)) {
        worst = difference;
        worstAt = i;
      }
      if (std::isnan(difference))
        break; // nothing is worse
    }
    EXPECT_LE(worst, tolerance * largest) << what << ": element " << worstAt << " of " << count << " is " << actual(worstAt)
                                          << ", expected " << reference(worstAt);
  };
  for (auto &kernel : self->compiled) {
    std::string isa = kernel->name();
    std::vector<Bits> whole;
    kernel->check([&] {
      whole = run(*kernel, 1);
      for (auto [r, value] : llvm::enumerate(self->kernel.getResults())) {
        const Tensor &reference = (*expected)[r];
        bool isInteger = self->typeOf(value).getElementType().isInteger(32);
        compare(
            isa + ": result " + std::to_string(r), reference.elements.size(),
            [&](size_t i) { return isInteger ? double(int32_t(whole[r][i])) : double(std::bit_cast<float>(whole[r][i])); },
            [&](size_t i) { return reference.elements[i]; });
      }
      for (auto [c, op] : llvm::enumerate(self->kernel.getCaches())) {
        std::vector<float> actual = cacheRows(unsigned(c));
        std::vector<double> reference;
        for (size_t s = 0; s < self->sequences.size(); ++s)
          for (auto &row : caches.rows(cast<moe::CacheOp>(op).getSymName().str(), int64_t(s)))
            reference.insert(reference.end(), row.begin(), row.end());
        ASSERT_EQ(actual.size(), reference.size());
        compare(
            isa + ": cache " + std::to_string(c), actual.size(), [&](size_t i) { return double(actual[i]); },
            [&](size_t i) { return reference[i]; });
      }
    });
    if (const std::vector<int64_t> cuts = kernel->cuts(); !cuts.empty())
      kernel->check([&] {
        for (int64_t pieces : cuts)
          EXPECT_EQ(run(*kernel, pieces), whole) << isa << ": " << pieces << " pieces differ from one";
      });
  }
}

void KernelRun::expectSameRowsAlone() {
  if (self->compiled.empty())
    return;
  std::vector<Sequence> sequences = self->sequences;
  std::map<unsigned, Tensor> inputs = self->inputs;
  evaluator::Caches pasts = self->pasts;
  for (auto &kernel : self->compiled)
    kernel->check([&] {
      std::vector<Bits> together = run(*kernel, 2);
      int64_t tokens = self->tokens(), token = 0;
      for (size_t s = 0; s < sequences.size(); ++s)
        for (int64_t i = 0; i < sequences[s].length; ++i, ++token) {
          self->sequences = {{sequences[s].past + i, 1}};
          self->pasts = {};
          for (Operation *op : self->kernel.getCaches()) {
            auto cache = cast<moe::CacheOp>(op);
            std::string name = cache.getSymName().str();
            auto &rows = pasts.rows(name, int64_t(s));
            self->pasts.rows(name, 0).assign(rows.begin(), rows.begin() + self->rowsOf(cache, sequences[s].past + i + 1));
          }
          for (auto &[argument, value] : inputs)
            if (self->typeOf(self->kernel.getBody().getArgument(argument)).isDynamicDim(0)) {
              int64_t width = int64_t(value.elements.size()) / tokens;
              std::vector<int64_t> shape = value.shape;
              shape[0] = 1;
              self->inputs[argument] =
                  Tensor(shape, {value.elements.begin() + token * width, value.elements.begin() + (token + 1) * width});
            }
          std::vector<Bits> alone = run(*kernel, 1);
          for (size_t r = 0; r < alone.size(); ++r)
            EXPECT_TRUE(std::equal(alone[r].begin(), alone[r].end(), together[r].begin() + int64_t(alone[r].size()) * token))
                << kernel->name() << ": result " << r << " of token " << token << " differs from its row in a step of " << tokens
                << " tokens";
        }
      self->sequences = sequences;
      self->inputs = inputs;
      self->pasts = pasts;
    });
}

runtime::emulator::Counters KernelRun::count(const std::string &target) {
  for (auto &kernel : self->compiled)
    if (kernel->name() == target) {
      run(*kernel, 1);
      return *kernel->counters();
    }
  ADD_FAILURE() << "expected a kernel for " << target;
  return {};
}
