// The messages of a model, by the field numbers of onnx 1.23's onnx-ml.proto. Nothing is copied: names and bytes are views.
#include "importers/onnx/Reader.h"
#include "importers/Refusal.h"
#include "importers/onnx/TensorReader.h"

#include "llvm/Support/Endian.h"

using namespace moec::importers;
using namespace moec::importers::onnx;
using llvm::StringRef;
using llvm::Twine;
using protobuf::Message;

StringRef onnx::nameOf(AttributeType type) {
  static constexpr llvm::StringLiteral names[] = {"undefined", "a float",  "an integer", "a string", "a tensor",
                                                  "a graph",   "floats",   "integers",   "strings",  "tensors",
                                                  "graphs",    "a sparse", "sparse",     "a type",   "types"};
  auto index = static_cast<size_t>(type);
  return index < std::size(names) ? names[index] : names[0];
}

std::vector<int64_t> Attribute::integers() const {
  std::vector<int64_t> list;
  std::string problem; // was read without one before
  for (Message reader(message, problem); reader.next();)
    if (reader.field() == 8)
      reader.varints([&](uint64_t value) { list.push_back(static_cast<int64_t>(value)); });
  return list;
}

std::vector<float> Attribute::numbers() const {
  std::vector<float> list;
  std::string problem;
  for (Message reader(message, problem); reader.next();)
    if (reader.field() == 7)
      for (StringRef run = reader.fixed(4); !run.empty(); run = run.drop_front(4))
        list.push_back(llvm::bit_cast<float>(llvm::support::endian::read32le(run.data())));
  return list;
}

namespace {

class Reader {
public:
  Reader(StringRef bytes, StringRef name, const ModelFolder &folder, Model &model, const Limits &limits)
      : model(model), limits(limits), nodes(limits.items), attributes(limits.items), values(limits.items),
        budget{limits.items, limits.names, limits.dims, limits.decoded},
        tensors(bytes, name, folder, model, budget, limits, problem) {}

  std::string read(StringRef bytes);

private:
  Graph graph(Message message, unsigned depth);
  Node node(Message message, unsigned depth);
  Attribute attribute(Message message, unsigned depth);
  void checkAttribute(Attribute &attribute, uint32_t carried);
  ValueInfo valueInfo(Message message);
  void type(Message message, ValueInfo &value, StringRef kind = "");
  void tensorType(Message message, ValueInfo &value);
  ValueInfo::Dim dimension(Message message);
  Function function(Message message);
  void opset(Message message, Opsets &opsets);
  void checkOpset(StringRef domain, int64_t version);
  void names(Message &message, std::vector<StringRef> &into);
  void take(uint64_t &of, const char *what);

  Model &model;
  const Limits &limits;
  uint64_t nodes, attributes, values;
  Budget budget;
  std::string problem;
  TensorReader tensors;
};

void Reader::take(uint64_t &of, const char *what) {
  if (!budget.take(of, 1) && problem.empty())
    problem = (Twine("the file has more ") + what + " than the limit").str();
}

void Reader::names(Message &message, std::vector<StringRef> &into) {
  take(budget.names, "names of inputs and outputs");
  if (problem.empty())
    into.push_back(message.bytes());
}

void Reader::checkOpset(StringRef domain, int64_t version) {
  if (problem.empty() && version < 1)
    problem = ("opset_import of domain '" + domain + "': expected a version of at least 1, got " + Twine(version)).str();
  else if (problem.empty() && domain.empty() && version > 29)
    problem = ("opset_import: opset " + Twine(version) + " of the default domain is not known: expected at most 29").str();
}

void Reader::opset(Message message, Opsets &opsets) {
  StringRef domain;
  int64_t version = 0;
  while (message.next()) {
    if (message.field() == 1)
      domain = message.bytes();
    else if (message.field() == 2)
      version = static_cast<int64_t>(message.varint());
  }
  if (domain == "ai.onnx")
    domain = "";
  take(values, "operator sets");
  checkOpset(domain, version);
  if (!opsets.try_emplace(domain, version).second && problem.empty())
    problem = ("opset_import: opset of domain '" + domain + "' is given twice").str();
}

ValueInfo::Dim Reader::dimension(Message message) {
  ValueInfo::Dim dim;
  take(budget.dims, "dimensions");
  while (message.next()) {
    if (message.field() == 1)
      dim.size = static_cast<int64_t>(message.varint());
    else if (message.field() == 2)
      dim.name = message.bytes();
  }
  return dim;
}

void Reader::tensorType(Message message, ValueInfo &value) {
  while (message.next()) {
    if (message.field() == 1) {
      value.type = static_cast<DataType>(message.int32());
    } else if (message.field() == 2) {
      value.hasShape = true;
      for (Message shape = message.message(); shape.next();)
        if (shape.field() == 1)
          value.dims.push_back(dimension(shape.message()));
    }
  }
  if (problem.empty() && value.dims.size() > static_cast<size_t>(limits.rank))
    problem = ("value '" + value.name + "': its dimensions are more than the limit of " + Twine(limits.rank)).str();
}

/// `kind` is what the type of `message` is wrapped in.
void Reader::type(Message message, ValueInfo &value, StringRef kind) {
  auto inner = [&](StringRef wrapped) {
    value.kind = wrapped;
    for (Message wrapper = message.message(); wrapper.next();)
      if (wrapper.field() == 1)
        type(wrapper.message(), value, wrapped);
  };
  while (message.next()) {
    switch (message.field()) {
    case 1:
      value.kind = kind.empty() ? "tensor" : kind;
      tensorType(message.message(), value);
      break;
    case 4:
      if (kind.empty() || kind == "optional")
        inner(kind.empty() ? "sequence" : "optional sequence");
      else
        value.kind = "sequence of sequences";
      break;
    case 5:
      value.kind = kind.empty() ? "map" : kind == "optional" ? "optional map" : "sequence of maps";
      break;
    case 7:
      value.kind = "opaque";
      break;
    case 8:
      value.kind = "sparse tensor";
      break;
    case 9:
      if (kind.empty())
        inner("optional");
      else
        value.kind = kind == "optional" ? "optional of an optional" : "sequence of optionals";
      break;
    default:
      break;
    }
  }
}

ValueInfo Reader::valueInfo(Message message) {
  ValueInfo value;
  take(values, "declared values");
  while (message.next()) {
    if (message.field() == 1)
      value.name = message.bytes();
    else if (message.field() == 2)
      type(message.message(), value);
  }
  return value;
}

/// What an attribute says it is must be what it carries, if anything.
void Reader::checkAttribute(Attribute &attribute, uint32_t carried) {
  uint32_t said = 1u << static_cast<unsigned>(attribute.type);
  if (!problem.empty() || carried == 0)
    return;
  if (attribute.type == AttributeType::Undefined && llvm::isPowerOf2_32(carried))
    attribute.type = static_cast<AttributeType>(llvm::countr_zero(carried));
  else if (carried != said)
    problem = ("attribute '" + attribute.name + "': expected " + nameOf(attribute.type) + " as its type says, got " +
               nameOf(static_cast<AttributeType>(llvm::countr_zero(carried & ~said))))
                  .str();
}

Attribute Reader::attribute(Message message, unsigned depth) {
  Attribute attribute;
  take(attributes, "attributes");
  attribute.message = message.remaining();
  uint32_t carried = 0; // bits by type
  auto carries = [&](AttributeType type) { carried |= 1u << static_cast<unsigned>(type); };
  while (message.next()) {
    switch (message.field()) {
    case 1:
      attribute.name = message.bytes();
      break;
    case 21:
      attribute.reference = message.bytes();
      break;
    case 20: {
      uint64_t type = message.varint();
      attribute.type = type <= 14 ? static_cast<AttributeType>(type) : AttributeType::Undefined;
      break;
    }
    case 2:
      attribute.number = message.float32();
      carries(AttributeType::Float);
      break;
    case 3:
      attribute.integer = static_cast<int64_t>(message.varint());
      carries(AttributeType::Int);
      break;
    case 4:
      attribute.text = message.bytes();
      carries(AttributeType::String);
      break;
    case 5:
      attribute.tensor = std::make_unique<StoredTensor>(tensors.read(message.message()));
      carries(AttributeType::Tensor);
      break;
    case 6:
      attribute.graph = std::make_unique<Graph>(graph(message.message(), depth + 1));
      carries(AttributeType::Graph);
      break;
    case 7:
      message.fixed(4);
      carries(AttributeType::Floats);
      break;
    case 8:
      message.varints([](uint64_t) {});
      carries(AttributeType::Ints);
      break;
    case 9:
      carries(AttributeType::Strings);
      break;
    case 10:
      carries(AttributeType::Tensors);
      break;
    case 11:
      carries(AttributeType::Graphs);
      break;
    case 14:
      attribute.declared = std::make_shared<ValueInfo>();
      type(message.message(), *attribute.declared);
      carries(AttributeType::TypeProto);
      break;
    case 22:
      carries(AttributeType::SparseTensor);
      break;
    default:
      break;
    }
  }
  checkAttribute(attribute, carried);
  return attribute;
}

Node Reader::node(Message message, unsigned depth) {
  Node node;
  take(nodes, "nodes");
  while (message.next()) {
    switch (message.field()) {
    case 1:
      names(message, node.inputs);
      break;
    case 2:
      names(message, node.outputs);
      break;
    case 3:
      node.name = message.bytes();
      break;
    case 4:
      node.type = message.bytes();
      break;
    case 5:
      if (node.attributes.size() == 256) // so that they can be compared with each other
        message.stop("more attributes than the limit of 256");
      else
        node.attributes.push_back(attribute(message.message(), depth));
      break;
    case 7:
      node.domain = message.bytes();
      break;
    case 8:
      node.overload = message.bytes();
      break;
    default:
      break;
    }
  }
  if (node.domain == "ai.onnx")
    node.domain = "";
  if (!problem.empty() && !StringRef(problem).starts_with("node '"))
    problem = ("node '" + node.name + "' (" + node.type + "): " + problem).str();
  for (size_t i = 0; i < node.attributes.size(); ++i)
    for (size_t j = 0; j < i && problem.empty(); ++j)
      if (node.attributes[i].name == node.attributes[j].name)
        problem =
            ("node '" + node.name + "' (" + node.type + "): attribute '" + node.attributes[i].name + "' is given twice").str();
  return node;
}

Graph Reader::graph(Message message, unsigned depth) {
  Graph graph;
  if (depth > limits.depth)
    message.stop("graphs nest deeper than the limit of " + Twine(limits.depth));
  while (message.next()) {
    switch (message.field()) {
    case 1:
      graph.nodes.push_back(node(message.message(), depth));
      break;
    case 2:
      graph.name = message.bytes();
      break;
    case 5:
      graph.initializers.push_back(tensors.read(message.message()));
      break;
    case 11:
      graph.inputs.push_back(valueInfo(message.message()));
      break;
    case 12:
      graph.outputs.push_back(valueInfo(message.message()));
      break;
    case 15:
      tensors.refuseSparse(message.message());
      break;
    default:
      break;
    }
  }
  return graph;
}

Function Reader::function(Message message) {
  Function function;
  take(values, "functions");
  while (message.next()) {
    switch (message.field()) {
    case 1:
      function.name = message.bytes();
      break;
    case 4:
      names(message, function.inputs);
      break;
    case 5:
      names(message, function.outputs);
      break;
    case 7:
      function.body.nodes.push_back(node(message.message(), 0));
      break;
    case 9:
      opset(message.message(), function.opsets);
      break;
    case 10:
      function.domain = message.bytes();
      break;
    case 11:
      function.defaults.push_back(attribute(message.message(), 0));
      break;
    case 13:
      function.overload = message.bytes();
      break;
    default:
      break;
    }
  }
  return function;
}

std::string Reader::read(StringRef bytes) {
  bool hasGraph = false;
  Message message(bytes, problem);
  while (message.next()) {
    switch (message.field()) {
    case 1:
      if (uint64_t version = message.varint(); version > 14)
        model.notes.push_back("ir_version " + std::to_string(version) + " is newer than 14, the newest that is known");
      break;
    case 7:
      if (hasGraph)
        message.stop("expected one graph, got two");
      hasGraph = true;
      model.graph = graph(message.message(), 0);
      break;
    case 8:
      opset(message.message(), model.opsets);
      break;
    case 25:
      model.functions.push_back(function(message.message()));
      break;
    default:
      break;
    }
  }
  if (!problem.empty())
    return problem;
  if (!hasGraph)
    return "expected a graph, got none";
  if (model.opsets.empty())
    return "expected an opset_import, got none: the meaning of operators depends on it";
  return "";
}

} // namespace

llvm::Error onnx::readModel(StringRef bytes, StringRef name, const ModelFolder &folder, Model &model, const Limits &limits) {
  model.folder = folder.path().str();
  model.path = (folder.path() + "/" + name).str();
  if (bytes.empty())
    return refuse(model.path + ": expected an ONNX model, got an empty file");
  if (bytes.size() > limits.bytes)
    return refuse(model.path + ": expected at most " + Twine(limits.bytes) + " bytes, got " + Twine(bytes.size()));
  std::string problem = Reader(bytes, name, folder, model, limits).read(bytes);
  if (problem.empty())
    return llvm::Error::success();
  return refuse(model.path + ": as a model in protobuf: " + problem);
}

llvm::Expected<std::unique_ptr<Model>> onnx::openModel(const ModelFolder &folder, StringRef fileName, const Limits &limits) {
  llvm::Expected<File> file = folder.open(fileName);
  if (!file)
    return file.takeError();
  auto model = std::make_unique<Model>();
  StringRef name = model->owned.emplace_back(fileName);
  StringRef bytes;
  if (file->size()) {
    llvm::Expected<llvm::sys::fs::mapped_file_region> mapping = file->map();
    if (!mapping)
      return mapping.takeError();
    model->mapping = std::move(*mapping);
    bytes = StringRef(model->mapping.const_data(), model->mapping.size());
  }
  if (llvm::Error error = readModel(bytes, name, folder, *model, limits))
    return error;
  return model;
}
