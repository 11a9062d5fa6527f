// Rows are read as they are stored, dequantised, rounded again unless they are to be spelt out, and laid where the file has them.
#include "lowering/artifact/RequantizedFiles.h"

#include "dialects/moe/NumberFormat.h"
#include "lowering/artifact/StoredMatrix.h"

#include <cstring>

using namespace llvm;
using namespace moec;
using namespace moec::lowering;

/// One file: what it is made of, and its scales as far as they are known.
class RequantizedFiles::Matrix {
public:
  Matrix(StringRef name, const moe::Requantization &file, StoredMatrix values)
      : name(name), file(file), values(std::move(values)), scales(size_t(file.rows() * file.scalesOfRow())) {}

  static Expected<std::unique_ptr<Matrix>> open(StringRef name, const moe::Requantization &file, WeightFiles &files) {
    Expected<StoredMatrix> values = StoredMatrix::of(file.values, files);
    if (!values)
      return values.takeError();
    auto matrix = std::make_unique<Matrix>(name, file, std::move(*values));
    for (auto [stored, into] : {std::pair(&file.scales, &matrix->storedScales),
                                {&file.global, &matrix->global},
                                {&file.zeros, &matrix->zeros},
                                {&file.groups, &matrix->groups}})
      if (*stored)
        if (Error error = readAll(**stored, files, *into))
          return std::move(error);
    if (file.groups)
      if (Error error = moe::checkGroups(matrix->groups, file.scales->type.getShape().back()))
        return createStringError("'" + name + "': " + toString(std::move(error)));
    return matrix;
  }

  StringRef path() const { return name; }
  const moe::Requantization &contents() const { return file; }
  const moe::RoundingError &error() const { return sum; }

  Error read(uint64_t offset, MutableArrayRef<char> into) {
    uint64_t behind = uint64_t(file.scalesOffset()), rowBytes = uint64_t(file.rowBytes());
    if (offset < behind)
      return readNumbers(offset / rowBytes, offset % rowBytes, into);
    // Numbers are mostly read first. Where they were not, their scales are made with them.
    std::vector<char> row(rowBytes);
    while (known < file.rows())
      if (Error error = round(known, row.data()))
        return error;
    std::memcpy(into.data(), reinterpret_cast<const char *>(scales.data()) + (offset - behind), into.size());
    return Error::success();
  }

private:
  static Error readAll(const moe::StoredTensor &stored, WeightFiles &files, std::vector<double> &into) {
    Expected<StoredMatrix> matrix = StoredMatrix::of(stored, files);
    if (!matrix)
      return matrix.takeError();
    into.resize(size_t(stored.type.getNumElements()));
    size_t width = size_t(matrix->width());
    for (int64_t row = 0; row < matrix->rows(); ++row)
      if (Error error = matrix->read(row, std::span(into).subspan(size_t(row) * width, width)))
        return error;
    return Error::success();
  }

  /// From byte `skipped` of row `row` on; behind the last row are zeros.
  Error readNumbers(uint64_t row, uint64_t skipped, MutableArrayRef<char> into) {
    std::vector<char> bytes(uint64_t(file.rowBytes()));
    for (; !into.empty() && row < uint64_t(file.rows()); ++row, skipped = 0) {
      if (Error error = round(int64_t(row), bytes.data()))
        return error;
      size_t count = std::min<size_t>(bytes.size() - skipped, into.size());
      std::memcpy(into.data(), bytes.data() + skipped, count);
      into = into.drop_front(count);
    }
    std::fill(into.begin(), into.end(), 0);
    return Error::success();
  }

  Error round(int64_t row, char *numbers) {
    std::vector<double> exact(size_t(file.width()));
    if (Error error = values.read(row, exact))
      return error;
    if (file.format)
      dequantize(row, exact);
    std::vector<float> plain(exact.begin(), exact.end());
    size_t perRow = size_t(file.scalesOfRow());
    moe::RoundingError error = moe::roundRow(file, plain, numbers, std::span(scales).subspan(size_t(row) * perRow, perRow));
    if (!error.isFinite)
      return createStringError("expected finite numbers to round, got others in row " + Twine(row) + " of '" + name + "'");
    if (row == known) { // again for a row that is read in two pieces
      sum += error;
      ++known;
    }
    return Error::success();
  }

  void dequantize(int64_t index, std::vector<double> &row) const {
    ArrayRef<int64_t> shape = file.values.type.getShape(), scaleShape = file.scales->type.getShape();
    int64_t rows = shape.drop_back().back(), entry = index / rows;
    int64_t scaleRow = moe::scaleRowOf(file.format, entry, index % rows, rows, scaleShape, shape.size() == 3);
    int64_t first = scaleRow * scaleShape.back();
    double overall = global.empty() ? 1 : global[global.size() == 1 ? 0 : size_t(entry)];
    ArrayRef<double> listed = moe::groupsOfEntry(groups, entry, file.width());
    for (size_t column = 0; column < row.size(); ++column) {
      size_t block = size_t(first + moe::scaleColumnOf(file.format, listed, int64_t(column)));
      int64_t zero = file.format.getZeroPoint();
      if (!zeros.empty())
        zero = moe::zeroPointOf(file.format, int64_t(zeros[block]), file.values.type.getElementType());
      double scaled = (row[column] - double(zero)) * storedScales[block];
      row[column] = file.format.getDivides() ? scaled / overall : scaled * overall;
    }
  }

  std::string name;
  moe::Requantization file;
  StoredMatrix values;
  std::vector<double> storedScales, global, zeros, groups;
  std::vector<uint16_t> scales;
  int64_t known = 0; ///< rows whose scales are
  moe::RoundingError sum;
};

RequantizedFiles::RequantizedFiles(mlir::ModuleOp module, WeightFiles &stored) : module(module), stored(stored) {
  if (auto all = module->getAttrOfType<mlir::DictionaryAttr>(moe::requantizedAttrName()))
    for (mlir::NamedAttribute file : all)
      computed.insert(file.getName());
}

RequantizedFiles::~RequantizedFiles() = default;

Error RequantizedFiles::open(StringRef file) {
  if (current && current->path() == file)
    return Error::success();
  Expected<std::optional<moe::Requantization>> found = moe::findRequantization(module, file);
  if (!found)
    return found.takeError();
  Expected<std::unique_ptr<Matrix>> opened = Matrix::open(file, **found, stored);
  if (!opened)
    return opened.takeError();
  current = std::move(*opened);
  return Error::success();
}

Expected<uint64_t> RequantizedFiles::sizeOf(StringRef file) {
  if (!isComputed(file))
    return stored.sizeOf(file);
  if (Error error = open(file))
    return std::move(error);
  return uint64_t(current->contents().bytes());
}

Error RequantizedFiles::read(StringRef file, uint64_t offset, MutableArrayRef<char> into) {
  if (!isComputed(file))
    return stored.read(file, offset, into);
  if (Error error = open(file))
    return error;
  uint64_t bytes = uint64_t(current->contents().bytes());
  if (offset > bytes || into.size() > bytes - offset ||
      (offset < uint64_t(current->contents().scalesOffset()) &&
       offset + into.size() > uint64_t(current->contents().scalesOffset())))
    return createStringError("expected bytes within the numbers or the scales of '" + file + "', got " + Twine(into.size()) +
                             " at " + Twine(offset));
  if (Error error = current->read(offset, into))
    return error;
  if (current->contents().isPlain()) // nothing was rounded
    return Error::success();
  if (finished.empty() || finished.back().file != file)
    finished.push_back({file.str(), {}});
  finished.back().error = current->error();
  return Error::success();
}
