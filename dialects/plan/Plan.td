// The plan dialect: kernels, buffers, launches; one op for each record of an artifact.
#ifndef MOEC_DIALECTS_PLAN_PLAN_TD
#define MOEC_DIALECTS_PLAN_PLAN_TD

include "dialects/plan/Dialect.td"
include "dialects/plan/ModelOps.td"
include "dialects/plan/ProgramOps.td"

#endif // MOEC_DIALECTS_PLAN_PLAN_TD
