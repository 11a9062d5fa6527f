// The dialects and passes that every compiler tool knows.
#include "tools/Registration.h"
#include "dialects/moe/MoE.h"
#include "dialects/plan/Plan.h"
#include "lowering/plan/Passes.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "passes/Passes.h"
#include "passes/raise/Passes.h"

void moec::registerDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<moe::MoEDialect, plan::PlanDialect>();
}

void moec::registerPasses() {
  mlir::registerAllPasses();
  passes::registerMoEPasses();
  passes::registerRaisePasses();
  lowering::registerPlanPasses();
}
