// An ONNX model as its file says it: views into the file's bytes, of the right form, not yet of any meaning.
#ifndef MOEC_IMPORTERS_ONNX_MODEL_H
#define MOEC_IMPORTERS_ONNX_MODEL_H

#include "importers/files/ModelFolder.h"
#include "importers/onnx/DataType.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"

#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace moec::importers::onnx {

struct Graph;
struct ValueInfo;

/// A tensor of a file, whose bytes are as many as its dimensions say.
struct StoredTensor {
  llvm::StringRef name;
  DataType type = DataType::Undefined;
  llvm::SmallVector<int64_t, 4> dims;
  int64_t elements = 0;
  uint64_t bytes = 0;
  /// The elements, little-endian, narrow ones from the low bits up; null when they lie in another file.
  llvm::StringRef data;
  /// Where the same bytes lie in a file of the model's folder; no file when that form is only in memory.
  llvm::StringRef file;
  uint64_t offset = 0;
};

enum class AttributeType {
  Undefined = 0,
  Float = 1,
  Int = 2,
  String = 3,
  Tensor = 4,
  Graph = 5,
  Floats = 6,
  Ints = 7,
  Strings = 8,
  Tensors = 9,
  Graphs = 10,
  SparseTensor = 11,
  SparseTensors = 12,
  TypeProto = 13,
  TypeProtos = 14
};
llvm::StringRef nameOf(AttributeType type);

struct Attribute {
  llvm::StringRef name;
  AttributeType type = AttributeType::Undefined;
  llvm::StringRef reference; ///< the attribute of the enclosing function that it stands for
  float number = 0;
  int64_t integer = 0;
  llvm::StringRef text;
  llvm::StringRef message; ///< of a list: where its elements are
  std::unique_ptr<StoredTensor> tensor;
  std::unique_ptr<Graph> graph;
  std::shared_ptr<ValueInfo> declared; ///< a type

  /// The elements of a list of that type; empty for another.
  std::vector<int64_t> integers() const;
  std::vector<float> numbers() const;
};

struct Node {
  llvm::StringRef name, type, domain, overload;
  std::vector<llvm::StringRef> inputs, outputs; ///< an empty name is an absent value
  std::vector<Attribute> attributes;
  std::vector<llvm::StringRef> captures; ///< names that its subgraphs read from outside; made by `sort`
};

/// What a graph's input or output is declared as.
struct ValueInfo {
  llvm::StringRef name;
  /// "tensor", "sequence", "optional", "optional sequence" or what else there is; empty when undeclared. The rest is the tensor's
  /// that it is, or of which it has some.
  llvm::StringRef kind;
  DataType type = DataType::Undefined;
  bool hasShape = false;
  struct Dim {
    int64_t size = -1;    ///< when known
    llvm::StringRef name; ///< may be given when not
  };
  llvm::SmallVector<Dim, 4> dims;
};

struct Graph {
  llvm::StringRef name;
  std::vector<Node> nodes;
  std::vector<StoredTensor> initializers;
  std::vector<ValueInfo> inputs, outputs;
};

/// Versions of operator sets by domain; "" is the default one.
using Opsets = llvm::StringMap<int64_t>;

struct Function {
  llvm::StringRef domain, name, overload;
  std::vector<llvm::StringRef> inputs, outputs;
  std::vector<Attribute> defaults;
  Graph body; ///< nodes alone
  Opsets opsets;
};

struct Model {
  std::string path;   ///< for messages
  std::string folder; ///< absolute
  Graph graph;
  Opsets opsets;
  std::deque<Function> functions;
  std::vector<std::string> notes; ///< what was odd and is no error

  // What the views point into.
  llvm::sys::fs::mapped_file_region mapping;
  std::deque<std::string> owned;
};

} // namespace moec::importers::onnx

#endif // MOEC_IMPORTERS_ONNX_MODEL_H
