// Orders nodes by what they read, with Kahn's algorithm; subgraphs first, for a node also reads what they capture.
#include "importers/onnx/Topology.h"
#include "importers/Refusal.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSet.h"

#include <queue>

using namespace moec::importers;
using namespace moec::importers::onnx;
using llvm::StringRef;
using llvm::Twine;

namespace {

class Sorter {
public:
  /// Sorts a graph; answers the names that it reads from outside.
  std::vector<StringRef> sort(Graph &graph, llvm::ArrayRef<StringRef> arguments = {});
  std::string problem;

private:
  using Givers = llvm::DenseMap<StringRef, size_t>;
  static constexpr size_t fromOutside = SIZE_MAX;

  void stop(const Twine &why) {
    if (problem.empty())
      problem = why.str();
  }
  void give(Givers &givers, StringRef value, size_t giver, const Twine &what);
  Givers giversOf(const Graph &graph, llvm::ArrayRef<StringRef> arguments);
  void order(Graph &graph, const Givers &givers);
};

std::string placeOf(const Node &node) { return ("node '" + node.name + "' (" + node.type + ")").str(); }

void Sorter::give(Givers &givers, StringRef value, size_t giver, const Twine &what) {
  if (!givers.try_emplace(value, giver).second)
    stop(what + " '" + value + "' is given twice");
}

Sorter::Givers Sorter::giversOf(const Graph &graph, llvm::ArrayRef<StringRef> arguments) {
  Givers givers;
  for (StringRef argument : arguments)
    give(givers, argument, fromOutside, "input");
  for (const ValueInfo &input : graph.inputs) {
    if (input.name.empty())
      stop("expected inputs of the graph to have names, got an empty one");
    give(givers, input.name, fromOutside, "input");
  }
  llvm::DenseMap<StringRef, size_t> initializers;
  for (const StoredTensor &tensor : graph.initializers) {
    give(initializers, tensor.name, fromOutside, "initializer");
    givers.try_emplace(tensor.name, fromOutside); // may be an input's default
  }
  for (const auto &[index, node] : llvm::enumerate(graph.nodes))
    for (StringRef output : node.outputs)
      if (!output.empty())
        give(givers, output, index, placeOf(node) + ": value");
  return givers;
}

void Sorter::order(Graph &graph, const Givers &givers) {
  size_t count = graph.nodes.size();
  std::vector<std::vector<uint32_t>> readers(count);
  std::vector<uint32_t> waiting(count, 0);
  for (const auto &[index, node] : llvm::enumerate(graph.nodes))
    for (const auto *read : {&node.inputs, &node.captures})
      for (StringRef value : *read)
        if (auto giver = givers.find(value); giver != givers.end() && giver->second != fromOutside) {
          readers[giver->second].push_back(static_cast<uint32_t>(index));
          ++waiting[index];
        }
  std::priority_queue<uint32_t, std::vector<uint32_t>, std::greater<>> ready;
  for (size_t index = 0; index < count; ++index)
    if (!waiting[index])
      ready.push(static_cast<uint32_t>(index));
  std::vector<Node> sorted;
  sorted.reserve(count);
  while (!ready.empty()) {
    uint32_t index = ready.top();
    ready.pop();
    sorted.push_back(std::move(graph.nodes[index]));
    for (uint32_t reader : readers[index])
      if (--waiting[reader] == 0)
        ready.push(reader);
  }
  if (sorted.size() == count) {
    graph.nodes = std::move(sorted);
    return;
  }
  for (size_t index = 0; index < count; ++index)
    if (waiting[index])
      return stop(placeOf(graph.nodes[index]) + ": reads what depends on itself: the graph has a cycle");
}

std::vector<StringRef> Sorter::sort(Graph &graph, llvm::ArrayRef<StringRef> arguments) {
  Givers givers = giversOf(graph, arguments);
  std::vector<StringRef> captures;
  llvm::DenseMap<StringRef, size_t> captured;
  auto read = [&](StringRef value) {
    if (!value.empty() && !givers.count(value) && captured.try_emplace(value, 0).second)
      captures.push_back(value);
  };
  for (Node &node : graph.nodes) {
    for (const Attribute &attribute : node.attributes)
      if (attribute.graph && problem.empty())
        for (StringRef name : sort(*attribute.graph))
          node.captures.push_back(name);
    llvm::for_each(node.inputs, read);
    llvm::for_each(node.captures, read);
  }
  if (problem.empty())
    order(graph, givers);
  for (const ValueInfo &output : graph.outputs) {
    if (output.name.empty())
      stop("expected outputs of the graph to have names, got an empty one");
    read(output.name);
  }
  return captures;
}

/// Nodes of a graph and of those within.
template <typename Each> void forEachNode(const Graph &graph, Each each) {
  for (const Node &node : graph.nodes) {
    each(node);
    for (const Attribute &attribute : node.attributes)
      if (attribute.graph)
        forEachNode(*attribute.graph, each);
  }
}

/// The first reader of `value`, for a message.
std::string readerOf(const Graph &graph, StringRef value) {
  for (const Node &node : graph.nodes)
    if (llvm::is_contained(node.inputs, value))
      return placeOf(node);
  for (const Node &node : graph.nodes)
    for (const Attribute &attribute : node.attributes)
      if (attribute.graph && llvm::is_contained(node.captures, value))
        return placeOf(node) + ": in its " + attribute.name.str() + ": " + readerOf(*attribute.graph, value);
  return "the graph's output";
}

class Calls {
public:
  Calls(const Model &model, uint64_t limit) : limit(limit) {
    for (const Function &function : model.functions)
      functions.try_emplace(keyOf(function.domain, function.name, function.overload), State{&function});
  }

  /// Nodes of the graph when everything is inlined, at most `limit` + 1.
  uint64_t count(const Graph &graph, unsigned depth) {
    uint64_t total = 0;
    forEachNode(graph, [&](const Node &node) {
      if (problem.empty() && total <= limit)
        total += count(node, depth);
    });
    return std::min(total, limit + 1);
  }
  std::string problem;

private:
  struct State {
    const Function *function;
    bool isOpen = false;
    uint64_t nodes = 0; ///< when counted
  };

  uint64_t count(const Node &node, unsigned depth) {
    auto called = functions.find(keyOf(node.domain, node.type, node.overload));
    if (called == functions.end())
      return 1;
    State &state = called->second;
    if (state.nodes)
      return state.nodes;
    if (state.isOpen || depth > 100) {
      problem = placeOf(node) + (state.isOpen ? ": function '" + node.type + "' is recursive"
                                              : Twine(": functions call each other deeper than 100"))
                                    .str();
      return 1;
    }
    state.isOpen = true;
    uint64_t nodes = std::max<uint64_t>(count(state.function->body, depth + 1), 1);
    state.isOpen = false;
    return state.nodes = nodes;
  }

  uint64_t limit;
  llvm::StringMap<State> functions;
};

} // namespace

std::string onnx::keyOf(StringRef domain, StringRef name, StringRef overload) {
  return (domain + Twine('\0') + name + Twine('\0') + overload).str();
}

llvm::Error onnx::sort(Model &model) {
  Sorter sorter;
  std::vector<StringRef> missing = sorter.sort(model.graph);
  if (!missing.empty() && sorter.problem.empty())
    sorter.problem =
        readerOf(model.graph, missing.front()) + ": value '" + missing.front().str() + "' is read but nothing gives it";
  for (Function &function : model.functions) {
    if (!sorter.problem.empty())
      break;
    missing = sorter.sort(function.body, function.inputs);
    if (!missing.empty() && sorter.problem.empty())
      sorter.problem = ("function '" + function.name + "': " + readerOf(function.body, missing.front()) + ": value '" +
                        missing.front() + "' is read but nothing gives it")
                           .str();
  }
  return sorter.problem.empty() ? llvm::Error::success() : refuse(model.path + ": " + sorter.problem);
}

llvm::Error onnx::checkCalls(const Model &model, uint64_t limit) {
  llvm::StringMap<bool> seen;
  for (const Function &function : model.functions)
    if (!seen.try_emplace(keyOf(function.domain, function.name, function.overload), true).second)
      return refuse(model.path + ": function '" + function.name + "' is given twice");
  Calls calls(model, limit);
  uint64_t nodes = calls.count(model.graph, 0);
  for (const Function &function : model.functions) // also those that nobody calls must not call themselves
    if (calls.problem.empty())
      calls.count(function.body, 0);
  if (calls.problem.empty() && nodes > limit)
    calls.problem = "functions inlined make more nodes than the limit of " + std::to_string(limit);
  return calls.problem.empty() ? llvm::Error::success() : refuse(model.path + ": " + calls.problem);
}
