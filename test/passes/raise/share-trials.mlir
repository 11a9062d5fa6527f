// Passes that find ops have one budget for a function: when it ends, that is said once, and what is not found stays.
// RUN: moe-opt %S/raise-norms.mlir --pass-pipeline='builtin.module(moe-share-trials{steps=1000},func.func(moe-raise-norms,moe-raise-attention))' --remark-format=emitRemark --remarks-filter=moe-raise-.* -o %t 2>&1 | FileCheck %s
// RUN: FileCheck %s --check-prefix=LEFT < %t
// RUN: moe-opt %S/raise-norms.mlir --pass-pipeline='builtin.module(moe-share-trials,func.func(moe-raise-norms))' | FileCheck %s --check-prefix=ENOUGH
// CHECK-COUNT-3: [Missed] moe-raise-norms {{.*}}"trying what its parts may be has taken all of the 1000 steps that it may take: what was not found by then stays as it is"
// CHECK-NOT: trying
// LEFT-NOT: moe.rms_norm
// ENOUGH: moe.rms_norm
