// The operations of the plan dialect for models of functions.
#ifndef MOEC_DIALECTS_PLAN_FUNCTIONS_H
#define MOEC_DIALECTS_PLAN_FUNCTIONS_H

#include "dialects/plan/Plan.h"

#define GET_OP_CLASSES
#include "dialects/plan/PlanFunctionOps.h.inc"

#endif // MOEC_DIALECTS_PLAN_FUNCTIONS_H
