// The dialects and passes that every compiler tool knows.
#ifndef MOEC_TOOLS_REGISTRATION_H
#define MOEC_TOOLS_REGISTRATION_H

namespace mlir {
class DialectRegistry;
}

namespace moec {

/// moe, plan and all upstream dialects, with their extensions.
void registerDialects(mlir::DialectRegistry &registry);

/// Every pass and pipeline that a command line may name.
void registerPasses();

} // namespace moec

#endif // MOEC_TOOLS_REGISTRATION_H
