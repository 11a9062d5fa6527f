// A table of what each pass saved.
#include "passes/Explain.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "passes/Cost.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace moec::passes;

namespace {
/// What a step of a function costs after a pass that changed it.
struct Row {
  std::string pass;
  Cost cost;
};

struct Explanation : PassInstrumentation {
  explicit Explanation(raw_ostream &os) : os(os) {}
  ~Explanation() override { print(); }

  void runBeforePass(Pass *, Operation *op) override { measure(op, "start"); }
  void runAfterPass(Pass *pass, Operation *op) override { measure(op, pass->getArgument()); }

private:
  /// Adds a row for each function in `op` that is new or costs something else than before.
  void measure(Operation *op, StringRef pass) {
    auto add = [&](func::FuncOp function) {
      if (function.isDeclaration())
        return;
      Cost cost = costOf(function, typicalWorkload(function));
      SmallVector<Row> &rows = history[function.getNameAttr()];
      if (rows.empty() || !isSame(rows.back().cost, cost))
        rows.push_back({pass.str(), cost});
    };
    if (auto function = dyn_cast<func::FuncOp>(op))
      add(function);
    else if (auto module = dyn_cast<ModuleOp>(op))
      llvm::for_each(module.getOps<func::FuncOp>(), add);
  }

  static bool isSame(const Cost &a, const Cost &b) {
    return a.flop == b.flop && a.bytes() == b.bytes() && a.launches == b.launches;
  }

  void print() {
    constexpr auto format = "{0,-12} {1,-30} {2,12} {3,12} {4,9} {5,13} {6,11} {7,15}\n";
    auto number = [](double value) { return llvm::formatv("{0:f2}", value).str(); };
    os << llvm::formatv(format, "function", "after", "MFLOP", "MB", "launches", "saved MFLOP", "saved MB", "saved launches");
    for (auto &[function, rows] : history)
      for (auto [index, row] : llvm::enumerate(rows)) {
        const Cost &cost = row.cost, &before = rows[index ? index - 1 : 0].cost;
        os << llvm::formatv(format, function.getValue(), row.pass, number(cost.flop / 1e6), number(cost.bytes() / 1e6),
                            cost.launches, number((before.flop - cost.flop) / 1e6), number((before.bytes() - cost.bytes()) / 1e6),
                            before.launches - cost.launches);
      }
  }

  raw_ostream &os;
  llvm::MapVector<StringAttr, SmallVector<Row>> history;
};
} // namespace

std::unique_ptr<PassInstrumentation> moec::passes::createExplanation(llvm::raw_ostream &os) {
  return std::make_unique<Explanation>(os);
}
