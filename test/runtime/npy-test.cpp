// .npy files, sound and not.
#include "runtime/npy/Npy.h"
#include "test/runtime/TestArtifact.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace moec;
using namespace moec::runtime;

namespace {
std::string npy(const std::string &dictionary, const std::string &data) {
  std::string header = dictionary + "\n";
  return std::string("\x93NUMPY\x01\x00", 8) + char(header.size() & 255) + char(header.size() >> 8) + header + data;
}

TEST(Npy, readsWhatItWrites) {
  std::string path = test::writeFile("written.npy", "");
  int64_t shape[] = {2, 3};
  Result<NpyWriter> writer = NpyWriter::create(path, "<f4", shape);
  ASSERT_TRUE(writer.ok());
  float row[] = {1, -2, 0.5f};
  ASSERT_TRUE(writer->append(std::as_bytes(std::span(row))).ok());
  EXPECT_FALSE(writer->finish().ok()); // a row is missing
  ASSERT_TRUE(writer->append(std::as_bytes(std::span(row))).ok());
  EXPECT_FALSE(writer->append(std::as_bytes(std::span(row))).ok());
  ASSERT_TRUE(writer->finish().ok());
  Result<NpyArray> array = readNpy(path);
  ASSERT_TRUE(array.ok()) << array.status().message();
  EXPECT_EQ(array->shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(array->floats, (std::vector<double>{1, -2, 0.5, 1, -2, 0.5}));
}

TEST(Npy, leavesADeviceADevice) {
  std::string path = test::folder() + "/pipe.npy";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  int reader = open(path.c_str(), O_RDONLY | O_NONBLOCK);
  int64_t shape[] = {1};
  Result<NpyWriter> writer = NpyWriter::create(path, "<f4", shape);
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  float row[] = {1};
  ASSERT_TRUE(writer->append(std::as_bytes(std::span(row))).ok());
  ASSERT_TRUE(writer->finish().ok());
  char bytes[256];
  EXPECT_EQ(read(reader, bytes, sizeof bytes), 132);
  close(reader);
  struct stat after;
  ASSERT_EQ(stat(path.c_str(), &after), 0);
  EXPECT_TRUE(S_ISFIFO(after.st_mode));
}

TEST(Npy, refusesWhatItDoesNotRead) {
  const std::string good = "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }";
  for (auto [name, bytes] :
       {std::pair<const char *, std::string>{"empty", ""},
        {"noMagic", std::string(100, ' ')},
        {"cutHeader", npy(good, "").substr(0, 20)},
        {"short", npy(good, std::string(3, '\0'))},
        {"long", npy(good, std::string(5, '\0'))},
        {"fortran", npy("{'descr': '<i4', 'fortran_order': True, 'shape': (1,), }", std::string(4, '\0'))},
        {"bigEndian", npy("{'descr': '>i4', 'fortran_order': False, 'shape': (1,), }", std::string(4, '\0'))},
        {"object", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", std::string(8, '\0'))},
        {"noShape", npy("{'descr': '<i4', 'fortran_order': False, }", std::string(4, '\0'))},
        {"twice", npy("{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (1,)}", std::string(4, '\0'))},
        {"negative", npy("{'descr': '<i4', 'fortran_order': False, 'shape': (-1,), }", std::string(4, '\0'))},
        {"huge", npy("{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "")},
        {"overflow", npy("{'descr': '<i4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "")},
        {"open", npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1", "")}})
    EXPECT_FALSE(readNpy(test::writeFile("bad.npy", bytes)).ok()) << name;
  EXPECT_TRUE(readNpy(test::writeFile("good.npy", npy(good, std::string("\7\0\0\0", 4)))).ok());
}
} // namespace
