// .npy files: what is written comes back, what is malformed is refused.
#include "passes/evaluator/Npy.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"

#include "gtest/gtest.h"

#include <fstream>

using namespace moec::evaluator;

namespace {

class Npy : public testing::Test {
protected:
  Npy() { EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("moec-ids", "npy", path)); }

  /// The message with which a file of these bytes is refused, without the file's name.
  std::string refusal(const std::string &bytes) {
    std::ofstream(path.c_str(), std::ios::binary) << bytes;
    llvm::Expected<std::vector<int32_t>> ids = readIds(path);
    if (ids)
      return "";
    std::string message = llvm::toString(ids.takeError());
    EXPECT_EQ(message.find(path.c_str()), 0u) << message;
    return message.substr(std::min(message.size(), path.size() + 2));
  }

  /// A file of version 1.0 with this header and data.
  static std::string file(const std::string &header, const std::string &data) {
    return std::string("\x93NUMPY\x01\x00", 8) + char(header.size()) + '\0' + header + data;
  }

  llvm::SmallString<128> path;
  llvm::FileRemover remover{path};
};

TEST_F(Npy, IdsComeBack) {
  ASSERT_FALSE(bool(writeNpy(path, Tensor({3}, {7, 0, 2147483647}), NpyType::I32)));
  llvm::Expected<std::vector<int32_t>> ids = readIds(path);
  ASSERT_TRUE(bool(ids));
  EXPECT_EQ(*ids, (std::vector<int32_t>{7, 0, 2147483647}));
}

TEST_F(Npy, NumbersOfAnyTypeComeBack) {
  auto read = [&](const std::string &descr, const std::string &shape, const std::string &data) {
    std::ofstream(path.c_str(), std::ios::binary) << file("{'descr': '" + descr + "', 'shape': " + shape + "}", data);
    llvm::Expected<Tensor> tensor = readNpy(path);
    EXPECT_TRUE(bool(tensor)) << llvm::toString(tensor.takeError());
    return tensor ? *tensor : Tensor();
  };
  ASSERT_FALSE(bool(writeNpy(path, Tensor({2, 1}, {0.1, -2}), NpyType::F64)));
  llvm::Expected<Tensor> doubles = readNpy(path);
  ASSERT_TRUE(bool(doubles));
  EXPECT_EQ(doubles->shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(doubles->elements, (std::vector<double>{0.1, -2}));
  EXPECT_EQ(read("<f2", "(2,)", std::string("\x00\x3c\x00\xc0", 4)).elements, (std::vector<double>{1, -2}));
  EXPECT_EQ(read("|b1", "(2,)", std::string("\1\0", 2)).elements, (std::vector<double>{1, 0}));
  EXPECT_EQ(read("|u1", "(1, 1)", "\xff").elements, std::vector<double>{255});
  EXPECT_EQ(read("|i1", "(1,)", "\xff").elements, std::vector<double>{-1});
  EXPECT_EQ(read("<u2", "()", "\xff\xff").shape, std::vector<int64_t>{});
  EXPECT_EQ(read("<f4", "(3, 0)", "").shape, (std::vector<int64_t>{3, 0}));
}

TEST_F(Npy, RefusesElementsInAnotherOrder) {
  EXPECT_EQ(refusal(file("{'descr': '<i4', 'fortran_order': True, 'shape': (1,)}", std::string(4, 'x'))),
            "expected elements in C order, got Fortran's");
  EXPECT_EQ(refusal(file("{'descr': '>i4', 'shape': (1,)}", std::string(4, 'x'))),
            "expected booleans, integers or floating-point numbers, got '>i4'");
}

TEST_F(Npy, RefusesWhatHoldsNoIds) {
  const std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }\n";
  EXPECT_EQ(refusal(file(header, std::string("\1\0\0\0", 4))), "");
  EXPECT_EQ(refusal("no array"), "expected a .npy file of version 1.0");
  EXPECT_EQ(refusal(std::string("\x93NUMPY\x01\x00", 8)), "expected a .npy file of version 1.0");
  EXPECT_EQ(refusal(std::string("\x93NUMPY\x01\x00\xff\xff", 10)), "expected a header of 65535 bytes, got fewer");
  EXPECT_EQ(refusal(file("{'descr': '<f4', 'shape': (1,)}", std::string(4, '\0'))),
            "expected ids of type '<i4' or '<i8', got '<f4'");
  const std::string dimension = "expected a shape and the data it says, got shape ";
  EXPECT_EQ(refusal(file("{'descr': '<i4', 'shape': (1, 1)}", std::string(4, 'x'))), "expected one dimension, got 2");
  EXPECT_EQ(refusal(file("{'descr': '<i4', 'shape': (2,)}", std::string(4, 'x'))), dimension + "(2,) and 4 bytes");
  EXPECT_EQ(
      refusal(file("{'descr': '<i4', 'shape': (4611686018427387905,)}", std::string(4, 'x'))), // (2^62 + 1) x 4 wraps around to 4
      dimension + "(4611686018427387905,) and 4 bytes");
  EXPECT_EQ(refusal(file("{'descr': '<i8', 'shape': (1,)}", std::string("\0\0\0\0\1\0\0\0", 8))),
            "expected ids that are not negative and fit 32 bits, got 4294967296");
  EXPECT_EQ(refusal(file("{'descr': '<i4', 'shape': (1,)}", std::string(4, '\xff'))),
            "expected ids that are not negative and fit 32 bits, got -1");
}

} // namespace
